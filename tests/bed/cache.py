"""Layers of the hosts' file system, built once, named by the hash of their recipe, kept outside the checkout."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[str], None]
KEEP_NEWEST = 4
KEEP_S = 24 * 3600.0


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/guardian-bed`, or /var/cache/guardian-bed."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home, "guardian-bed") if home else Path("/var/cache/guardian-bed")


def hash_of(*parts: str | bytes) -> str:
    """A short name for exactly these parts in this order."""
    digest = hashlib.sha256()
    for part in parts:
        piece = part.encode() if isinstance(part, str) else part
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Layer:
    """What a layer is called, and how to make it: `build` gets an empty folder, and the lock to pass on."""

    kind: str
    recipe: str
    build: Callable[[Path, int], Awaitable[None]]

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.kind}-{self.recipe}"


async def ready(layer: Layer, progress: Progress) -> Path:
    """The layer's folder, built first when it is not there.

    It appears under its name only when it is whole; runs that want to build at the same time wait for one another.
    """
    if layer.folder.is_dir():
        os.utime(layer.folder)
        return layer.folder
    async with _lock() as lock:
        if not layer.folder.is_dir():
            started = time.monotonic()
            progress(f"building the layer {layer.folder.name}")
            building = cache_folder() / f".building-{layer.folder.name}"
            await asyncio.to_thread(_remove, *cache_folder().glob(".building-*"))
            building.mkdir(mode=0o755)
            await layer.build(building, lock)
            building.rename(layer.folder)
            progress(f"built {layer.folder.name} in {time.monotonic() - started:.1f} s")
            await asyncio.to_thread(_remove, *_outdated(layer.kind))
        os.utime(layer.folder)
    return layer.folder


@contextlib.asynccontextmanager
async def _lock() -> AsyncIterator[int]:
    """Holds the cache's lock. Builders inherit it, so an orphan of a killed run keeps the others out until it ends."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    lock = os.open(cache_folder() / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _outdated(kind: str) -> list[Path]:
    """Layers of one kind that are neither among the newest nor used in the last day: no living run stands on them."""
    by_age = sorted(cache_folder().glob(f"{kind}-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    return [folder for folder in by_age[KEEP_NEWEST:] if time.time() - folder.stat().st_mtime > KEEP_S]


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
