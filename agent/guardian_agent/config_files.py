"""The files that the configuration is read from: who may change them, and have they changed?"""

from pathlib import Path


def changeable_by_others(path: Path, owner: int = 0) -> str:
    """Who but root could write what is allowed; empty when nobody. A file that is not there is no concern.

    Looked at are the configuration file, its folder, `conf.d` and the files in it.
    """
    for file in (path.parent, *_files(path)):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{file}: {error.strerror}"
        if status.st_uid != owner:
            return f"{file}: must belong to root, belongs to user {status.st_uid}"
        if status.st_mode & 0o022:
            return f"{file}: must not be writable by others than root, has mode {status.st_mode & 0o7777:04o}"
    return ""


def fingerprint(path: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Something that is another one after any of the files was written, replaced, added or removed."""
    found = []
    for file in _files(path):
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((str(file), status.st_ino, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def _files(path: Path) -> tuple[Path, ...]:
    conf_d = path.parent / "conf.d"
    return (path, conf_d, *sorted(conf_d.glob("*.toml")))
