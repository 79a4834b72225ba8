#!/bin/sh
# PID 1 of the peer VM: dockerd, containerd and runc, with the Docker API on vsock port 2375.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for dir in /dev/shm /run /tmp; do mount -t tmpfs tmpfs "$dir"; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for module in vsock vmw_vsock_virtio_transport overlay bridge br_netfilter veth nf_tables nft_compat nft_chain_nat \
    xt_MASQUERADE xt_addrtype xt_conntrack xt_nat xt_tcpudp xt_mark ip_tables iptable_nat iptable_filter; do
    modprobe -q "$module"
done
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# A cgroup with processes of its own cannot hand controllers on, so they move out of the root.
mkdir -p /sys/fs/cgroup/init
echo $$ >/sys/fs/cgroup/init/cgroup.procs
echo "+cpu +memory +pids +io +cpuset" >/sys/fs/cgroup/cgroup.subtree_control
dockerd --exec-opt native.cgroupdriver=cgroupfs --ipv6=false --ip6tables=false --userland-proxy=false --log-level=warn &
socat VSOCK-LISTEN:2375,fork,backlog=64 UNIX-CONNECT:/run/docker.sock &
# The bench has a registry for it.
socat TCP-LISTEN:5000,bind=127.0.0.1,reuseaddr,fork,backlog=64 VSOCK-CONNECT:2:5000 &
# PID 1 reaps, and never ends.
while :; do wait; sleep 60; done
