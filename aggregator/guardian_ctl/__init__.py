"""guardianctl: asks the aggregator's HTTP API from a shell."""
