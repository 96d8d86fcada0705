"""The Debian that every host starts from."""

import shlex
from pathlib import Path

from tests.bed.cache import Layer, hash_of
from tests.bed.commands import run

SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "polkitd", "libnss-systemd"),
    *("iproute2", "iputils-ping", "iputils-arping", "ethtool", "procps", "nftables", "openssl", "ca-certificates"),
    *("curl", "python3", "python3-venv", "libfaketime", "stress-ng"),
    *("nginx-light", "redis-server", "postgresql", "haproxy", "dnsmasq", "monit"),
)

# Packages that tests install again: their files stay in the image, for `dpkg -i` without a network.
KEPT_PACKAGES = ("nginx", "nginx-common")
KEPT_FOLDER = "/var/cache/bed"

# What is there but must not run before a test says so.
DISABLED_UNITS = (
    *("nginx.service", "redis-server.service", "postgresql.service", "haproxy.service", "dnsmasq.service"),
    *("monit.service", "e2scrub_reap.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
)

BEDINIT = """#!/bin/sh
# The v1 controllers come read-only from nspawn; without them MemoryMax, CPUQuota and TasksMax do nothing.
for c in memory pids cpu cpuacct; do
  [ ! -d /sys/fs/cgroup/$c ] || mount -o remount,bind,rw /sys/fs/cgroup/$c
done
# The host's own view of memory and processors, from lxcfs outside.
for f in proc/cpuinfo proc/loadavg proc/meminfo proc/stat proc/swaps proc/uptime sys/devices/system/cpu/online; do
  [ ! -e /var/lib/lxcfs/$f ] || mount --bind /var/lib/lxcfs/$f /$f
done
exec /usr/lib/systemd/systemd "$@"
"""
JOURNALD = """[Journal]
Storage=persistent
SystemMaxUse=64M
RateLimitIntervalSec=0
"""
FILES = {
    "/usr/sbin/bedinit": (0o755, BEDINIT),
    "/etc/systemd/journald.conf.d/bed.conf": (0o644, JOURNALD),
    "/etc/resolv.conf": (0o644, ""),
}


def base() -> Layer:
    """The base layer: minimal Debian with the packages above."""
    recipe = hash_of(SUITE, *PACKAGES, *KEPT_PACKAGES, *DISABLED_UNITS, *(f"{k}{v}" for k, v in FILES.items()))
    return Layer("base", recipe, _build)


async def _build(folder: Path, lock: int) -> None:
    archives = " ".join(f'"$1"/var/cache/apt/archives/{name}_*.deb' for name in KEPT_PACKAGES)
    keep = f'mkdir -p "$1"{KEPT_FOLDER} && cp {archives} "$1"{KEPT_FOLDER}/'
    argv = ["mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory", "--dpkgopt=force-unsafe-io"]
    argv += [f"--include={','.join(PACKAGES)}", f"--customize-hook={keep}", SUITE, str(folder)]
    # Its own mount namespace: were it killed half-way, no mount of it would stay behind.
    (await run("unshare", "--mount", *argv, shown=argv, timeout_s=900, pass_fds=(lock,))).check()
    for name, (mode, text) in FILES.items():
        file = folder / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)
    units = shlex.join(DISABLED_UNITS)
    await in_chroot(folder, f"systemctl --quiet enable systemd-networkd.service && systemctl --quiet disable {units}")


async def in_chroot(root: Path, script: str, *, lock: int | None = None, timeout_s: float = 300.0) -> None:
    """Runs a shell script inside an unpacked Debian. Raises CommandError when it fails."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
    argv = ["chroot", str(root), "/bin/sh", "-euc", script]
    pass_fds = () if lock is None else (lock,)
    (await run(*argv, env=env, timeout_s=timeout_s, pass_fds=pass_fds)).check()
