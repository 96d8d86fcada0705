"""What can go wrong, by what the caller must do about it."""


class GuardianError(Exception):
    """Every error that is ours; its text is one sentence for an operator."""


class ConfigError(GuardianError):
    """The configuration cannot be used; each problem is one line `file:line: key: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(GuardianError):
    """The store cannot be opened, read or written."""


class Refused(GuardianError):  # noqa: N818 (an answer of the protocol, not a failure of ours)
    """A stream must end here; `code` names a `Refusal.Code` of stream.proto."""

    def __init__(self, code: str, detail: str, watermark: int = 0) -> None:
        super().__init__(detail)
        self.code = code
        self.watermark = watermark
