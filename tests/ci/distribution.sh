#!/usr/bin/env bash
# Takes the root of a real Debian, made once by debootstrap, through all that is done with images.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
tests/ci/setup.sh distribution
COVE_TEST_DISTRIBUTION=$cache/roots/bookworm.tar COVE_DIST=${COVE_DIST:-$root/dist} \
    cargo test --locked -p cove-tests --features e2e --test e2e -- distribution:: --nocapture
