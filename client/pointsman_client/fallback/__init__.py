"""Fallback: down the attempts of a route, the next one after an eligible error and no other."""

from pointsman_client.fallback.asynchronous import Call, StreamCall
from pointsman_client.fallback.attempts import FailedAttempt, NoAttempts, failed_attempts
from pointsman_client.fallback.blocking import BlockingCall, BlockingStreamCall

__all__ = [
    "BlockingCall",
    "BlockingStreamCall",
    "Call",
    "FailedAttempt",
    "NoAttempts",
    "StreamCall",
    "failed_attempts",
]
