# Where builds and tools live; sourced by the other scripts. Nothing here does anything.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Tools and downloads, kept between runs and outside the checkout.
cache=${COVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cove}
tools=$cache/tools
venv=$cache/python
buf_dir=$cache/buf

# CI starts from a clean clone: what cargo has compiled before must live elsewhere to be found again.
if [ "${CI:-}" = true ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
else
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
fi

# Versions of what is not a package of the distribution, and of what Cargo.lock does not hold.
vhost_device_vsock_version=0.3.0
cargo_deny_version=0.20.2
buf_version=1.75.0
grpcio_version=1.85.1
dbus_next_version=0.2.3
tauri_driver_version=2.1.0

export PATH=$tools/bin:$PATH
