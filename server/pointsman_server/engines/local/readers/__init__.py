"""Readers: what a request takes (effort), what it is about (domain) and of which kind it is."""

from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import (
    DIFFICULTIES,
    RequestEstimate,
    RequestReader,
)

__all__ = ["DIFFICULTIES", "DefaultReader", "RequestEstimate", "RequestReader"]
