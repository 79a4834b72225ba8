#!/usr/bin/env bash
# Makes and removes many containers, or images, in a real machine and looks what is left of them:
# soak.sh [containers|images] [CYCLES].
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
what=${1:-containers}
case $what in containers) cycles=10000 ;; images) cycles=1000 ;; *) echo "usage: soak.sh [containers|images] [CYCLES]" >&2; exit 2 ;; esac
COVE_SOAK_CYCLES=${2:-$cycles} COVE_DIST=${COVE_DIST:-$root/dist} \
    cargo test --locked -p cove-tests --features e2e --test e2e -- "leaks::$what" --nocapture
