#!/usr/bin/env bash
# Builds the runnable tree: dist.sh [FOLDER], dist/ by default.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"
dist=${1:-dist}

cargo build --release --locked -p cove-cli -p cove-daemon
cargo run --quiet --locked -p cove-vm-image -- build --cache "$cache/vm-image" --out "$CARGO_TARGET_DIR/vm-image/amd64"

# place SOURCE TARGET: a new file instead of new bytes in the old one, which a running program may have open.
place() {
    cmp -s "$1" "$2" || install -D -m "$(stat -c %a "$1")" -T "$1" "$2.new" && { [ ! -e "$2.new" ] || mv "$2.new" "$2"; }
}
mkdir -p "$dist/bin" "$dist/share/cove"
for program in cove coved; do place "$CARGO_TARGET_DIR/release/$program" "$dist/bin/$program"; done
for part in vmlinux initramfs.cpio manifest.json; do
    place "$CARGO_TARGET_DIR/vm-image/amd64/$part" "$dist/share/cove/$part"
done
place "$tools/bin/vhost-device-vsock" "$dist/share/cove/vhost-device-vsock"
echo "dist: $(du -sh "$dist" | cut -f1) in $dist"
