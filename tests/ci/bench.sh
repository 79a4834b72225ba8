#!/usr/bin/env bash
# Measures Cove (dist/) beside dockerd in the same kind of VM: bench.sh [ARGUMENT OF THE BENCH...], for example --runs 10.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

# busybox is what the containers run.
tests/ci/setup.sh checks
kernel=$(sed -n 's/.*"name": "\(linux-image-.*\)",/\1/p' dist/share/cove/manifest.json | head -1)
deb=$(find "$cache/vm-image" -name "${kernel}_*.deb" | head -1)
[ -n "$deb" ] || { echo "bench: the package $kernel is not in the cache: make dist" >&2; exit 1; }

# Files on the peer's disk have owners, which only root can give them.
peer=$cache/bench/peer
if [ "$(id -u)" = 0 ]; then tests/bench/peer/build.sh "$peer" "$deb"; else sudo -E tests/bench/peer/build.sh "$peer" "$deb"; fi
exec cargo run --quiet --locked -p cove-tests --bin bench -- --dist dist --peer "$peer" "$@"
