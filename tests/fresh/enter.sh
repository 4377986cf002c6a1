#!/bin/bash
# Called by run.sh. With --pivot: makes ROOT the root of this mount namespace. Without: runs the command in the clone.
set -euo pipefail

if [ "${1:-}" != --pivot ]; then
    cd /root/wheelyard
    exec "$@"
fi
root=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
# Of its own: podman keeps its locks in /dev/shm and its state in /run, and must not meet the machine's podman there.
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -p .machine
pivot_root . .machine
cd /
umount -l .machine
rmdir .machine
exec "$@"
