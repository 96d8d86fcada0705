"""Secrets of a fake host: renewing one really changes the fake's files, and putting it back restores them."""

from collections.abc import Callable

from tests.agent.fake_machine import FakeFiles

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import FileState
from guardian_agent.host.operations import CheckSecret, PutBackSecret, RenewSecret


class FakeSecrets:
    """What the declared programs do: `makes` (by path; None: they fail), and `accepts`, which judges a content."""

    def __init__(self, files: FakeFiles, wall_s: Callable[[], float]) -> None:
        self._files = files
        self._wall_s = wall_s
        self.makes: dict[str, str | None] = {}
        self.accepts: Callable[[str], bool] = lambda content: True
        self.aside: dict[str, tuple[str, FileState]] = {}

    def renew(self, operation: RenewSecret) -> None:
        made = self.makes.get(operation.path, "new")
        if made is None or operation.path not in self._files.contents:
            raise RefusedOperationError(f"{operation.describe()}: it ended with exit code 1")
        self.aside[operation.path] = self._files.contents[operation.path], self._files.states[operation.path]
        self._files.put(operation.path, made, modified_wall_s=self._wall_s())

    def put_back(self, operation: PutBackSecret) -> None:
        if operation.path in self.aside:
            self._files.contents[operation.path], self._files.states[operation.path] = self.aside[operation.path]

    def check(self, operation: CheckSecret) -> None:
        if not self.accepts(self._files.contents[operation.path]):
            raise OperationError(f"{operation.describe()}: it ended with exit code 1")
