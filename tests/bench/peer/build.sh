#!/usr/bin/env bash
# Builds the peer VM: build.sh FOLDER KERNEL_DEB. Leaves FOLDER/{initramfs.cpio,disk.img}; the kernel is Cove's vmlinux.
# Runs as root on Debian or Ubuntu; does nothing when nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
kernel_deb=$(realpath "$2")
suite=trixie
packages=docker.io,containerd,runc,iptables,iproute2,socat,kmod,ca-certificates,procps
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'peer: %s\n' "$*" >&2; }
need() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    say "apt: ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

mkdir -p "$folder"
cd "$folder"
key=$(cat "$here"/*.sh <(basename "$kernel_deb") | sha256sum)
[ -f initramfs.cpio ] && [ -f disk.img ] && [ "$(cat key 2>/dev/null)" = "$key" ] && exit 0
rm -f key

need mmdebstrap debian-archive-keyring e2fsprogs busybox-static xz-utils cpio kmod
if [ ! -f rootfs.tar ]; then
    mirror=${COVE_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' || true)}
    mirror=${mirror:-http://deb.debian.org/debian}
    say "making a Debian $suite with docker.io from $mirror"
    mmdebstrap --quiet --variant=minbase --include="$packages" --components=main --keyring="$keyring" \
        "$suite" rootfs.part.tar "deb $mirror $suite main"
    mv rootfs.part.tar rootfs.tar
fi

say "making its disk"
work=$(mktemp -d "$PWD/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{root,kernel,initramfs/bin,initramfs/dev,initramfs/mnt}
tar -C "$work/root" -xf rootfs.tar
dpkg -x "$kernel_deb" "$work/kernel"
modules=$(echo "$work"/kernel/usr/lib/modules/*)
mkdir -p "$work/root/lib/modules"
cp -a "$modules" "$work/root/lib/modules/"
depmod -b "$work/root" "$(basename "$modules")"
install -m 755 "$here/init.sh" "$work/root/init.sh"

install -m 755 "$(command -v busybox)" "$work/initramfs/bin/busybox"
install -m 755 "$here/initramfs-init.sh" "$work/initramfs/init"
xz -dc "$modules/kernel/drivers/block/virtio_blk.ko.xz" >"$work/initramfs/virtio_blk.ko"
(cd "$work/initramfs" && find . | cpio -o -H newc --quiet) >initramfs.cpio

rm -f disk.img
truncate -s 6G disk.img
mke2fs -q -t ext4 -d "$work/root" disk.img
printf '%s\n' "$key" >key
say "built"
