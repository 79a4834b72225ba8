#!/bin/busybox sh
# From the initramfs of the peer VM to its disk.
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox insmod /virtio_blk.ko
# The disk is probed while the module loads; only its node in /dev may lag behind.
until [ -b /dev/vda ]; do :; done
/bin/busybox mount -t ext4 /dev/vda /mnt
exec /bin/busybox switch_root /mnt /init.sh
