"""The contract of a question that only root can answer, as data."""

from typing import ClassVar, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Question(msgspec.Struct, Generic[T], frozen=True, tag=True):
    """One thing to be read that the unprivileged agent may not read itself. Answering it changes nothing."""

    answer_type: ClassVar[object]  # what T is, for decoding an answer that has crossed a socket

    def describe(self) -> str:
        """What is read, in a few words."""
        raise TypeError(f"{type(self).__name__} does not say what it asks")
