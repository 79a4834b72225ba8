#!/usr/bin/env bash
# Makes the folder that a person unpacks on their computer to try Cove: package.sh [--window] FOLDER [IMAGE].
#
# Runs on macOS, on Windows (Git's bash) and on Linux, and needs Rust alone; with --window the window is in it too, which
# needs npm, and on Linux what setup.sh installs for it. IMAGE is a folder with vmlinux, initramfs.cpio and manifest.json of
# the host's architecture, which is built on Linux; without it there is nothing to boot, and Cove says so.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
packages=(-p cove-cli -p cove-daemon) programs=(cove coved)
if [ "${1:-}" = --window ]; then
    packages+=(-p cove-desktop) programs+=(cove-desktop)
    (cd "$root/app/desktop/ui" && npm ci --no-audit --no-fund && npm run build)
    shift
fi
if [ $# = 0 ]; then echo "usage: package.sh [--window] FOLDER [IMAGE]" >&2; exit 2; fi
folder=$1 image=${2:-}

cd "$root"
cargo build --release --locked "${packages[@]}"
built=${CARGO_TARGET_DIR:-$root/target}/release

mkdir -p "$folder/bin" "$folder/share/cove"
for program in "${programs[@]}"; do
    for file in "$built/$program" "$built/$program.exe"; do
        if [ -f "$file" ]; then cp "$file" "$folder/bin/"; fi
    done
done
if [ -n "$image" ]; then
    for part in vmlinux initramfs.cpio manifest.json; do cp "$image/$part" "$folder/share/cove/"; done
fi
cp tests/smoke/smoke.sh "$folder/"
if [ "$(uname -s)" = Darwin ]; then
    cp app/hypervisor-apple/cove.entitlements "$folder/share/cove/"
    for program in "${programs[@]}"; do tests/ci/sign.sh "$folder/bin/$program"; done
fi
echo "package: $(du -sh "$folder" | cut -f1) in $folder"
