#!/usr/bin/env bash
# Runs the tests of docker-py and bollard against Cove (dist/, or COVE_DIST); they are fetched, not kept. With
# COVE_TEST_DOCKERD=SOCKET against that dockerd, which tests/yardstick/*.txt are lists of.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
tests/ci/setup.sh checks

# The last version whose tests know urllib3 1 and requests below 2.32, which its client needs.
docker_py_version=6.1.3
bollard_version=0.21.1
yardstick=$cache/yardstick
docker_py=$yardstick/docker-$docker_py_version
bollard=$yardstick/bollard-$bollard_version
mkdir -p "$yardstick"

if [ ! -d "$docker_py" ]; then
    python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$yardstick" "docker==$docker_py_version"
    tar -xzf "$docker_py.tar.gz" -C "$yardstick"
fi
if [ ! -x "$yardstick/python/bin/pytest" ]; then
    python3 -m venv "$yardstick/python"
    "$yardstick/python/bin/pip" install --quiet "docker==$docker_py_version" 'requests<2.32' 'urllib3<2' paramiko \
        pytest pytest-timeout
fi
if [ ! -d "$bollard" ]; then
    # cargo fetches it as it does every crate, from whatever registry it is told of.
    fetch=$(mktemp -d) && trap 'rm -rf "$fetch"' EXIT
    cargo init --quiet --lib --name fetch --vcs none "$fetch"
    cargo add --quiet --manifest-path "$fetch/Cargo.toml" "bollard@=$bollard_version"
    cargo vendor --quiet --versioned-dirs --manifest-path "$fetch/Cargo.toml" "$fetch/vendor" >/dev/null
    mv "$fetch/vendor/bollard-$bollard_version" "$bollard"
fi
cargo run --quiet --locked -p cove-tests --bin yardstick -- \
    tests/yardstick "$yardstick/python/bin/python" "$docker_py" "$bollard"
