#!/usr/bin/env bash
# The Windows programs under Wine: the tests of the host half, machines of the stand-in for the Host Compute Service in
# computecore.dll, then cove.exe and coved.exe against one another. What Wine cannot show: Hyper-V itself, AF_HYPERV.
set -euo pipefail
source "$(dirname "$0")/../ci/places.sh"
source "$(dirname "$0")/prefix.sh"
cd "$root"

for needed in wine x86_64-w64-mingw32-gcc /usr/bin/rustc; do
    command -v $needed >/dev/null || { echo "wine: $needed is missing; run: tests/ci/setup.sh checks" >&2; exit 1; }
done
prepare_prefix

target=x86_64-pc-windows-gnu
# The same compiler and the same reason as in tests/ci/cross-check.sh.
export CARGO_TARGET_DIR=${COVE_CROSS_TARGET_DIR:-$cache/target-cross} RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
# One choice of packages for all calls, so that cargo builds each dependency once. cove-machine has nothing of Windows, and
# under Wine its tests look at files for minutes.
packages=(-p cove-platform -p cove-hypervisor-windows -p cove-client -p cove-daemon -p cove-cli)
build=(--locked -Zbuild-std=std,panic_abort --target $target "${packages[@]}" --features cove-hypervisor-windows/wine-tests)

cargo build "${build[@]}" --bins --tests
cargo test "${build[@]}" --tests

x86_64-w64-mingw32-gcc -O1 -Wall -Werror -o "$WINEPREFIX/pipe.exe" tests/wine/pipe.c
COVE_WINDOWS_PROGRAMS=$CARGO_TARGET_DIR/$target/debug COVE_WINDOWS_PIPE=$WINEPREFIX/pipe.exe python3 tests/wine/programs.py -v
