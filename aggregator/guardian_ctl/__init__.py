"""guardianctl: asks the aggregator's HTTP API from a shell."""

__version__ = "0.1.0"
