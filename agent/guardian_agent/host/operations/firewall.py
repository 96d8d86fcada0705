"""Changes to the host's firewall."""

from typing import ClassVar

from guardian_agent.host import nft
from guardian_agent.host.operations.base import Change


class ReplaceTables(Change, frozen=True, tag=True):
    """Makes tables of nftables what their texts say, all at once or not at all: one transaction of nft's.

    `tables` is the text of each as nft lists it, by family and name (`inet filter`); an empty text means that the table
    is to be gone. A table that is there is replaced whole; others are not touched. Counters begin at 0.
    """

    may_cut_off: ClassVar = True
    tables: dict[str, str]

    def describe(self) -> str:
        parts = [
            f"table {key} {{ … }} {nft.summary(text)}" if text else f"delete table {key}"
            for key, text in self.tables.items()
        ]
        return f"nft {'; '.join(parts)}"


FirewallOperation = ReplaceTables
