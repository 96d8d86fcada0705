"""Who may ask the aggregator what?"""

from guardian_aggregator.access.tokens import Role, Token, TokenFile

__all__ = ["Role", "Token", "TokenFile"]
