"""Takes the agents' streams: gRPC in, committed records out."""

from guardian_aggregator.ingest.server import GrpcServer, check_certificates
from guardian_aggregator.ingest.service import FleetService

__all__ = ["FleetService", "GrpcServer", "check_certificates"]
