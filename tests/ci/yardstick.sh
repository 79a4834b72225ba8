#!/usr/bin/env bash
# Runs docker-py's own tests on containers, execs and volumes against Cove (dist/, or COVE_DIST). They are fetched, not kept.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

# The last version whose tests know urllib3 1 and requests below 2.32, which its client needs.
version=6.1.3
yardstick=$cache/yardstick
mkdir -p "$yardstick"
if [ ! -d "$yardstick/docker-$version" ]; then
    python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$yardstick" "docker==$version"
    tar -xzf "$yardstick/docker-$version.tar.gz" -C "$yardstick"
fi
if [ ! -x "$yardstick/python/bin/pytest" ]; then
    python3 -m venv "$yardstick/python"
    "$yardstick/python/bin/pip" install --quiet "docker==$version" 'requests<2.32' 'urllib3<2' paramiko pytest pytest-timeout
fi
exec cargo run --quiet --locked -p cove-tests --bin yardstick -- \
    "$yardstick/python/bin/python" "$yardstick/docker-$version" "$root/tests/yardstick/expected.txt"
