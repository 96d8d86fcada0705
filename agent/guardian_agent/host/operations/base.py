"""The contract of an operation: one change to the machine, as data."""

from typing import Any, ClassVar, get_args

import msgspec


class Change(msgspec.Struct, frozen=True, tag=True):
    """One change to the machine.

    It is safe to repeat and tolerates its own half-done self, since an agent may die in the middle of one; what is so
    already is fine. It names secrets by path and never carries them.
    """

    needs_root: ClassVar[bool] = True  # carried out by root: by the executor, where the agent itself is not root
    # Whether it could cut this host off: the executor then takes it back by itself unless the agent says in time that
    # it may stay.
    may_cut_off: ClassVar[bool] = False

    def describe(self) -> str:
        """What it would look like typed by hand."""
        raise TypeError(f"{type(self).__name__} does not say what it does")


def kinds_of(family: Any) -> tuple[type[Change], ...]:
    """The operations of a family, which is a union of them, or one by itself."""
    return get_args(family) or (family,)
