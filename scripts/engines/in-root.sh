#!/bin/sh
# Runs a program in another system's root directory, under this machine's kernel:
#   unshare -m sh in-root.sh ROOT SHARED PROGRAM [ARGUMENT...]
# SHARED is a directory that both systems see under one path. So is SANDBOX_TEST_CHANNEL_DIRECTORY,
# if it is set. What is mounted here ends with the mount namespace; ROOT itself stays as it is. The
# root is pivoted, because an engine cannot unpack images in a mere chroot.
set -eu
root=$1
shared=$2
shift 2
mount --bind "$root" "$root"
for directory in proc sys dev; do mount --rbind "/$directory" "$root/$directory"; done
for directory in run tmp; do mount -t tmpfs "$directory" "$root/$directory"; done
for directory in "$shared" ${SANDBOX_TEST_CHANNEL_DIRECTORY:-}; do
  mkdir -p "$directory" "$root$directory"
  mount --rbind "$directory" "$root$directory"
done
cd "$root"
pivot_root . mnt
umount -l /mnt
cd /
exec "$@"
