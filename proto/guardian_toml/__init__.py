"""Reads the TOML files of both daemons and says everything that is wrong with them at once, each with file and line."""

from guardian_toml.document import Document, TomlProblems, read_toml, with_conf_d
from guardian_toml.places import KeyPath
from guardian_toml.shapes import nearest, shown

__all__ = ["Document", "KeyPath", "TomlProblems", "nearest", "read_toml", "shown", "with_conf_d"]
