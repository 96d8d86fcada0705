"""The way to the aggregator: facts as records, and the stream that carries them."""

from guardian_agent.uplink.codec import decode, encode
from guardian_agent.uplink.pace import Pace
from guardian_agent.uplink.stream import HelloFacts, PlaybookFacts, Uplink

__all__ = ["HelloFacts", "Pace", "PlaybookFacts", "Uplink", "decode", "encode"]
