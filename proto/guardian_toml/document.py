"""Some TOML files read as one document, with the place of everything in it."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import tomli

from guardian_toml.places import KeyPath, places
from guardian_toml.shapes import UNREADABLE, check_keys, convert, shown

T = TypeVar("T")

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class TomlProblems(Exception):  # noqa: N818 (the files have the errors, not we)
    """What is wrong with the files: one line each, `file:line: key: what is wrong`, in the order of the files."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_toml(paths: Sequence[Path], into: type[T]) -> T:
    """The files at `paths`, merged, as one `into` (a msgspec Struct).

    Raises:
        TomlProblems: with every problem of every file.
    """
    document = Document(paths)
    value = document.convert(into)
    document.finish()
    return cast("T", value)


def with_conf_d(main: Path) -> list[Path]:
    """`main` and then every `*.toml` in the folder `conf.d` beside it, by name.

    Two daemons may share the folder: a file whose name starts with another daemon's is left to that one.
    """
    others = tuple(name for name in ("agent", "aggregator") if name != main.stem)
    try:
        found = sorted((main.parent / "conf.d").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        found = []
    except OSError as error:
        raise TomlProblems([f"{main.parent / 'conf.d'}: cannot be read: {error.strerror}"]) from error
    return [main, *(path for path in found if path.suffix == ".toml" and not path.name.startswith((*others, ".")))]


class Document:
    """The merged tables of some files, and the problems noted about them so far.

    Tables merge, arrays of tables append in the order of the files, and anything else may be set in one file only.

    Raises:
        TomlProblems: a file cannot be read or is not TOML; then nothing else is looked at.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.tables: dict[str, Any] = {}
        self._texts: dict[Path, str] = {}
        self._places: dict[Path, dict[KeyPath, int]] = {}
        # the file of each key or element that its own parent has not from the same file, and its path there
        self._origins: dict[KeyPath, tuple[Path, KeyPath]] = {}
        self._problems: list[tuple[tuple[int, int], str]] = []
        parsed = [(path, self._parse(path)) for path in paths]
        self.finish()
        for path, tables in parsed:
            self._merge(self.tables, tables, (), path, ())

    def convert(self, into: type[T], path: KeyPath = ()) -> T | None:
        """What stands at `path` (nothing there: an empty table) as an `into`; None when it cannot be made into one.

        Where a problem was noted about a value that has a default, that default stands for it: other problems are found
        all the same, and `finish` raises.

        A Struct that has a class variable `later: frozenset[str]` refuses these as "not supported in this version".
        """
        value = convert(self._value(path, {}), into, path, self)
        return None if value is UNREADABLE else cast("T", value)

    def check_keys(self, known: Iterable[str], path: KeyPath = ()) -> None:
        """Notes the keys of the table at `path` that are not among `known`."""
        check_keys(self._value(path, {}), known, path, self)

    def problem(self, path: KeyPath, text: str, *, at: KeyPath | None = None) -> None:
        """Notes `text` about what stands at `path`, with the line of that, or of `at`."""
        file, line = self._place(path if at is None else at)
        self._note(file, line, f"{label}: {text}" if (label := self._label(path)) else text)

    def said(self, path: KeyPath, text: str) -> str:
        """`text` about what stands at `path` as one line, formatted like a problem but not noted as one."""
        file, line = self._place(path)
        return _line(file, line, f"{self._label(path)}: {text}")

    def finish(self) -> None:
        """Raises TomlProblems when any problem was noted."""
        if self._problems:
            raise TomlProblems(
                list(dict.fromkeys(line for _, line in sorted(self._problems, key=lambda each: each[0])))
            )

    def _note(self, file: Path, line: int | None, text: str) -> None:
        order = (list(self._texts).index(file), line or 0)
        self._problems.append((order, _line(file, line, text)))

    def _parse(self, path: Path) -> dict[str, Any]:
        self._texts[path] = ""
        try:
            content = path.read_bytes()
        except OSError as error:
            self._note(path, None, f"cannot be read: {error.strerror}")
            return {}
        try:
            self._texts[path] = content.decode()
            return tomli.loads(self._texts[path])
        except UnicodeDecodeError as error:
            self._note(path, content.count(b"\n", 0, error.start) + 1, "not UTF-8")
        except tomli.TOMLDecodeError as error:
            place = _SYNTAX_PLACE.search(text := str(error))
            lines = max(1, len(content.splitlines()))
            line = int(place[1]) if place and place[1] else lines
            self._note(path, line, f"not TOML: {_SYNTAX_PLACE.sub('', text)}")
        except (RecursionError, ValueError) as error:  # nested without end; a number of thousands of digits
            self._note(path, None, f"not TOML that can be read: {error}")
        return {}

    def _merge(self, into: dict[str, Any], new: dict[str, Any], path: KeyPath, file: Path, source: KeyPath) -> None:
        for key, value in new.items():
            here, there = (*path, key), (*source, key)
            old: Any = into.get(key)
            if key not in into:
                into[key] = value
                self._origins[here] = (file, there)
            elif isinstance(old, dict) and isinstance(value, dict):
                self._merge(old, value, here, file, there)
            elif _is_array_of_tables(old) and _is_array_of_tables(value):
                for index, element in enumerate(value):
                    self._origins[(*here, len(old))] = (file, (*there, index))
                    old.append(element)
            else:
                first, first_line = self._place(here)
                line = self._line(file, there)
                self._note(file, line, f"{self._label(here)}: is set in {first}:{first_line} already")

    def _value(self, path: KeyPath, default: Any) -> Any:
        value: Any = self.tables
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return default
        return value

    def _place(self, path: KeyPath) -> tuple[Path, int | None]:
        for length in range(len(path), 0, -1):
            if origin := self._origins.get(path[:length]):
                file, source = origin
                return file, self._line(file, (*source, *path[length:]))
        return next(iter(self._texts)), None

    def _line(self, file: Path, path: KeyPath) -> int | None:
        """The line of `path` in `file`, or of the nearest table around it."""
        if file not in self._places:
            self._places[file] = places(self._texts[file])
        lengths = range(len(path), 0, -1)
        return next((line for length in lengths if (line := self._places[file].get(path[:length]))), None)

    def _label(self, path: KeyPath) -> str:
        """`probes.l3_gateway.interval_s`, `component "web": health.http`, `agent.protected: item 2`."""
        label = ""
        for index, part in enumerate(path):
            if isinstance(part, str):
                word = part if _BARE_KEY.fullmatch(part) else shown(part)
                before = path[index - 1] if index else ""
                label += (": " if isinstance(before, int) else "." if label else "") + word
                continue
            element = self._value(path[: index + 1], None)
            if not isinstance(element, dict):
                label += f": item {part + 1}"
            elif isinstance(name := element.get("name"), str):
                label += f" {shown(name)}"
            else:
                label += f" {part + 1}"
        return label


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _line(file: Path, line: int | None, text: str) -> str:
    return f"{file}:{line}: {text}" if line else f"{file}: {text}"
