"""Guardian as two layers over the base: what it depends on, which rarely changes, and itself, which always does."""

import asyncio
import importlib.util
import shlex
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from tests.bed.cache import Layer, hash_of
from tests.bed.commands import run

VENV = "/opt/guardian"
EXTRAS = ("agent", "aggregator", "ctl")
COMMANDS = ("guardian-agent", "guardian-aggregator", "guardianctl")
SOURCES = ("pyproject.toml", "README.md", "agent", "aggregator", "proto")
IMAGE_PYTHON = "3.11"
# folder of the checkout -> where a package would put its files
DATA = {
    "systemd": "usr/lib/systemd/system",
    "packaging/sysusers.d": "usr/lib/sysusers.d",
    "packaging/tmpfiles.d": "usr/lib/tmpfiles.d",
}
# A host of the bed may not open more; on a real one systemd may.
FEW_FILES = "/etc/systemd/system/guardian-aggregator.service.d/bed.conf"
INSTALL = "\n".join(
    (
        f"{VENV}/bin/pip install --quiet --no-index --no-deps /mnt/*.whl",
        *(f"ln -s {VENV}/bin/{command} /usr/bin/{command}" for command in COMMANDS),
        "cp --recursive --no-preserve=ownership /mnt/data/. /",
        "systemd-sysusers && systemd-tmpfiles --create guardian.conf",
        f"mkdir {Path(FEW_FILES).parent} && printf '[Service]\\nLimitNOFILE=20000\\n' >{FEW_FILES}",
    )
)

# Builds a layer as the upper folder of an overlay, in a mount namespace of its own.
OVERLAY = """
set -eu
lower=$1 upper=$2 wheels=$3 script=$4
work=$(mktemp -d "$upper.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work/work" "$work/root"
mount --bind "$wheels" "$work/root/mnt"
mount -t proc proc "$work/root/proc"
chroot "$work/root" /bin/sh -euc "$script"
umount "$work/root/proc" "$work/root/mnt" "$work/root"
"""


def dependencies(pyproject: dict[str, Any]) -> list[str]:
    """What the installed product needs from a package index, sorted."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {})
    return sorted({*project.get("dependencies", ()), *(need for extra in EXTRAS for need in extras.get(extra, ()))})


def dependency_layer(checkout: Path, base: Path) -> Layer:
    """The virtual environment with everything from other people."""
    needs = dependencies(tomllib.loads((checkout / "pyproject.toml").read_text()))

    async def build(folder: Path, lock: int) -> None:
        with tempfile.TemporaryDirectory(prefix="guardian-bed-") as wheels:
            fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", wheels]
            fetch += ["--implementation=cp", f"--python-version={IMAGE_PYTHON}", *needs]
            (await run(*fetch, timeout_s=900, pass_fds=(lock,))).check()
            install = f"{VENV}/bin/pip install --quiet --no-index --find-links=/mnt {shlex.join(needs)}"
            await _build_over([base], folder, Path(wheels), f"/usr/bin/python3 -m venv {VENV} && {install}", lock)

    return Layer("dependencies", hash_of(base.name, VENV, *needs), build)


def product_layer(checkout: Path, below: list[Path]) -> Layer:
    """Guardian itself, built from the working tree, with its units, its users and its commands in /usr/bin."""

    async def build(folder: Path, lock: int) -> None:
        with tempfile.TemporaryDirectory(prefix="guardian-bed-") as wheels:
            await _build_wheel(checkout, Path(wheels))
            await asyncio.to_thread(_stage_data, checkout, Path(wheels, "data"))
            await _build_over(below, folder, Path(wheels), INSTALL, lock)

    contents = [part for file in _sources(checkout) for part in (str(file.relative_to(checkout)), file.read_bytes())]
    recipe = hash_of(*(folder.name for folder in below), OVERLAY, INSTALL, *contents)
    return Layer("guardian", recipe, build)


def _sources(checkout: Path) -> list[Path]:
    tops = [checkout / name for name in (*SOURCES, *DATA)]
    files = [file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


def _stage_data(checkout: Path, root: Path) -> None:
    for source, target in DATA.items():
        shutil.copytree(checkout / source, root / target)


async def _build_wheel(checkout: Path, into: Path) -> None:
    """One wheel; with hatchling at hand that takes half a second, else pip fetches it first."""
    if importlib.util.find_spec("hatchling") is not None:
        argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(into)]
    else:
        argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(into), "."]
    (await run("env", "-C", str(checkout), *argv, shown=argv, timeout_s=300)).check()


async def _build_over(below: list[Path], upper: Path, wheels: Path, script: str, lock: int) -> None:
    lower = ":".join(map(str, below))
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
    argv = ["unshare", "--mount", "bash", "-c", OVERLAY, "overlay", lower, str(upper), str(wheels), script]
    shown = [*argv[:3], "(layer)", script]
    (await run(*argv, shown=shown, env=env, timeout_s=600, pass_fds=(lock,))).check()
