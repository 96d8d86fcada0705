#!/bin/bash
# Boots one host, and boots it again whenever it asks for that, until it is powered off or killed.
#   boot.sh NAME BRIDGE LOWER SCRATCH VIEW CGROUP...
#     LOWER: layers, topmost first, by colons; VIEW: where lxcfs is mounted; the first CGROUP is the v2 one
# Started by host.py in the router's network and in a mount namespace of its own, so that every mount goes when it goes.
set -eu
name=$1 bridge=$2 lower=$3 scratch=$4 view=$5
shift 5
for cgroup in "$@"; do echo 0 >"$cgroup/cgroup.procs"; done
unified=$1
trap 'echo 1 >"$unified/cgroup.kill"' TERM # also sent when the process that started us dies (setpriv --pdeathsig)

mount --make-rprivate /
mount -t tmpfs tmpfs /run/systemd/nspawn # nspawn's locks: other runs have hosts of the same name
written=$scratch
if [ -e "$scratch/disk.img" ]; then
  # Never mounted twice: the kernel may still be letting go of it after the host's power was taken.
  while [ -n "$(losetup --associated "$scratch/disk.img")" ]; do sleep 0.02; done
  mount -t ext4 -o loop,noinit_itable "$scratch/disk.img" "$scratch/disk"
  written=$scratch/disk
fi
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$written/upper,workdir=$written/work" "$scratch/root"

while :; do
  systemd-nspawn --quiet --directory="$scratch/root" --machine="$name" --hostname="$name" --keep-unit --register=no \
    --link-journal=no --resolv-conf=off --timezone=off --network-bridge="$bridge" --kill-signal=SIGRTMIN+4 \
    --bind="$view:/var/lib/lxcfs" --console=pipe /usr/sbin/bedinit &
  wait $! && code=0 || code=$?
  [ "$code" = 133 ] || exit "$code" # 133: it wants to be booted again
done
