//! Linux hosts: QEMU with KVM where it really runs a guest, else TCG.
