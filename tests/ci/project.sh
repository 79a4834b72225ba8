#!/usr/bin/env bash
# Runs a project of three tiers in a root of Debian's packages, made once by debootstrap, and git and fio in a bound folder.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
tests/ci/setup.sh project
COVE_TEST_PROJECT=$cache/roots/project.tar COVE_DIST=${COVE_DIST:-$root/dist} \
    cargo test --locked -p cove-tests --features e2e --test e2e -- project:: --nocapture
