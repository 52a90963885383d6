"""Readers: estimates of a request's effort, domain and kind."""

from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import (
    DIFFICULTIES,
    RequestEstimate,
    RequestReader,
)

__all__ = ["DIFFICULTIES", "DefaultReader", "RequestEstimate", "RequestReader"]
