#!/usr/bin/env bash
# Starts and removes many containers in a real machine and looks what is left of them: soak.sh [CYCLES].
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
COVE_SOAK_CYCLES=${1:-10000} COVE_DIST=${COVE_DIST:-$root/dist} \
    cargo test --locked -p cove-tests --features e2e --test e2e -- leaks:: --nocapture
