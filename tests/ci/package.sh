#!/usr/bin/env bash
# Makes the folder that a person unpacks on their computer to try Cove: package.sh FOLDER [IMAGE].
#
# Runs on macOS, on Windows (Git's bash) and on Linux, and needs Rust alone. IMAGE is a folder with vmlinux, initramfs.cpio
# and manifest.json of the host's architecture, which is built on Linux; without it there is nothing to boot, and Cove says so.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1 image=${2:-}

cd "$root"
cargo build --release --locked -p cove-cli -p cove-daemon
built=${CARGO_TARGET_DIR:-$root/target}/release

mkdir -p "$folder/bin" "$folder/share/cove"
for program in cove coved; do
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
    tests/ci/sign.sh "$folder/bin/cove" "$folder/bin/coved"
fi
echo "package: $(du -sh "$folder" | cut -f1) in $folder"
