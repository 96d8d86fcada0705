"""The aggregator: stores what agents stream to it, and computes the fleet's recovery statistics from it."""

__version__ = "0.1.0"
