"""The firewall of a fake host: tables of text, of which a rule `tcp dport N drop` is understood."""

from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset


class FakeFirewall:
    """The text of each table, by family and name."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}

    def read(self, question: ReadRuleset) -> dict[str, str]:
        return dict(self.tables)

    def apply(self, operation: ReplaceTables) -> None:
        kept = {key: text for key, text in self.tables.items() if key not in operation.tables}
        self.tables = kept | {key: text for key, text in operation.tables.items() if text}

    def drops(self, port: int) -> bool:
        """Whether what comes to a port is lost."""
        return any(f"tcp dport {port} drop" in text for text in self.tables.values())


def table(key: str, *rules: str, policy: str = "accept") -> str:
    """A table with one chain of rules for what comes in, as nft lists it."""
    head = f"type filter hook input priority filter; policy {policy};"
    lines = "\n".join(f"\t\t{line}" for line in (head, *rules))
    return f"table {key} {{\n\tchain input {{\n{lines}\n\t}}\n}}\n"
