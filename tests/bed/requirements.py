"""What the bed needs of the machine; installs what is missing, or says it in one line."""

import os
import platform
import shutil
from pathlib import Path

from tests.bed.commands import run
from tests.bed.runs import CGROUP_ROOTS

# program -> the Debian package that brings it
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "lxcfs": "lxcfs",
    "openssl": "openssl",
    "dnsmasq": "dnsmasq-base",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    search = f"{os.environ.get('PATH', '')}:{PATH}"
    return sorted({package for program, package in PROGRAMS.items() if shutil.which(program, path=search) is None})


def has_fuse() -> bool:
    return Path("/dev/fuse").exists()


async def obstacle() -> str | None:
    """Makes this machine able to boot hosts; returns one line when it cannot, None when it can.

    Packages that are missing are installed with apt-get; nothing else of the machine is changed.
    """
    if platform.system() != "Linux":
        return f"the test bed needs Linux, and this is {platform.system()}"
    if os.geteuid() != 0:
        return "the test bed needs root: it boots Debian hosts with systemd-nspawn"
    if not CGROUP_ROOTS:
        return "the test bed needs a cgroup v2 hierarchy below /sys/fs/cgroup"
    if absent := missing():
        if shutil.which("apt-get") is None:
            return f"the test bed needs these Debian packages (and there is no apt-get): {' '.join(absent)}"
        if (failure := await _install(absent)) is not None:
            return failure
    if not has_fuse():
        return "the test bed needs /dev/fuse: each host's own view of memory and processors is served by lxcfs"
    if not (await run("unshare", "--mount", "true")).ok:
        return "the test bed needs CAP_SYS_ADMIN: making a mount namespace was refused"
    return None


async def _install(packages: list[str]) -> str | None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": f"{os.environ.get('PATH', '')}:{PATH}"}
    await run("apt-get", "update", "-q", env=env, timeout_s=300)
    argv = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
    installed = await run(*argv, env=env, timeout_s=600)
    if installed.ok:
        return None
    lines = installed.err.strip().splitlines() or ["no reason given"]
    return f"the test bed needs {' '.join(packages)}, and apt-get could not install that: {lines[-1]}"
