#!/usr/bin/env bash
# Type-checks and lints the host half for the other hosts: cross-check.sh [TARGET...].
#
# No toolchain of those systems is needed: Debian's rustc-web brings the sources of std, from which cargo builds the
# target's std itself, and clippy comes from the same source package, so that the versions fit.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

# Everything but what runs on Linux alone, so that a new crate of the host is checked without being named here.
linux_only=(cove-guest cove-hello cove-hypervisor-qemu cove-tests cove-vm-image)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-gnu)

# rustup's rustc may come first in PATH; this one has the sources.
rustc=/usr/bin/rustc
for needed in "$rustc" /usr/bin/clippy-driver; do
    [ -x "$needed" ] || { echo "cross-check: $needed is missing; run: tests/ci/setup.sh checks" >&2; exit 1; }
done

export CARGO_TARGET_DIR=${COVE_CROSS_TARGET_DIR:-$cache/target-cross}
export RUSTC=$rustc RUSTC_WORKSPACE_WRAPPER=/usr/bin/clippy-driver
# -Zbuild-std is not stable yet; this is the only use of it.
export RUSTC_BOOTSTRAP=1
export CLIPPY_CONF_DIR=$root
export RUSTFLAGS="-D warnings"
for target in aarch64_apple_darwin x86_64_apple_darwin; do
    export "CC_$target=$root/tests/ci/stand-in-cc.sh" "AR_$target=$root/tests/ci/stand-in-cc.sh"
done

# The window's page is inside its program. Its Windows resources are made by MinGW's windres.
tests/ci/desktop.sh have_page

for target in "${targets[@]}"; do
    echo "── $target"
    cargo check --locked -Zbuild-std=std,panic_abort --target "$target" --workspace --all-targets \
        "${linux_only[@]/#/--exclude=}"
done
