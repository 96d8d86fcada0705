"""What only root can read of the firewall."""

from typing import ClassVar

from guardian_agent.host.questions.base import Question


class ReadRuleset(Question[dict[str, str]], frozen=True, tag=True):
    """Every table of nftables: its text as nft lists it without counters, by family and name (`inet filter`)."""

    answer_type: ClassVar = dict[str, str]

    def describe(self) -> str:
        return "the rules of the firewall"


FirewallQuestion = ReadRuleset
