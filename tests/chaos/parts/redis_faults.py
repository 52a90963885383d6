"""What happens to a real Redis or Valkey, and which figures show that it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from support.redis_server import RealServer

KNOWN = 60
"""Conversations that both replicas know before anything happens."""
Act = Callable[[RealServer], str | None]
"""Says, where there is something to say, by which of the server's own figures it took hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a server, and what the replicas make of it."""

    done: str
    breaks: Act
    mends: Act
    stage: str | None = None
    """Of failures that they must have counted."""
    rests: bool = False
    """They leave it alone meanwhile."""


def _told(*commands: Sequence[Any]) -> Act:
    """An operator's commands."""

    def act(server: RealServer) -> None:
        for command in commands:
            server(*command)

    return act


def _emptied(server: RealServer) -> str:
    # In one step: the load fills it again at once.
    count = "redis.call('DBSIZE')"
    script = f"local n = {count}; redis.call('FLUSHALL'); return {{n, {count}}}"
    before, after = server("EVAL", script, 0)
    assert before >= KNOWN, before
    assert after == 0, after
    return f"DBSIZE {before} to {after}"


def _crowded(server: RealServer) -> None:
    server("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    server("CONFIG", "SET", "maxmemory", server("INFO", "memory")["used_memory"] - 4_096)


def _roomy(server: RealServer) -> str:
    server("CONFIG", "SET", "maxmemory", "0")
    evicted = server("INFO", "stats")["evicted_keys"]
    assert evicted > 0
    return f"evicted_keys {evicted}"


def _locked(server: RealServer) -> None:
    server("CONFIG", "SET", "requirepass", "new")
    server.password = "new"
    server("CLIENT", "KILL", "TYPE", "normal")


def _unlocked(server: RealServer) -> None:
    server("CONFIG", "SET", "requirepass", "")
    server.password = None


FAULTS = {
    "stopped": Fault(
        done="killed, started again empty",
        breaks=RealServer.kill,
        mends=RealServer.start,
        stage="unreachable",
        rests=True,
    ),
    "frozen": Fault(
        done="SIGSTOP",
        breaks=RealServer.freeze,
        mends=RealServer.thaw,
        stage="timeout",
        rests=True,
    ),
    "emptied": Fault(done="FLUSHALL, and again at the end", breaks=_emptied, mends=_emptied),
    "evicting": Fault(
        done="maxmemory below current use, allkeys-lru", breaks=_crowded, mends=_roomy
    ),
    "full": Fault(
        done="maxmemory 1, no eviction",
        breaks=_told(("CONFIG", "SET", "maxmemory", "1")),
        mends=_told(("CONFIG", "SET", "maxmemory", "0")),
        stage="rejected",
    ),
    "asking for a password": Fault(
        done="requirepass, connections killed",
        breaks=_locked,
        mends=_unlocked,
        stage="credentials",
        rests=True,
    ),
    "a read-only replica": Fault(
        done="demoted",
        breaks=_told(("REPLICAOF", "127.0.0.1", "1")),
        mends=_told(("REPLICAOF", "NO", "ONE")),
        stage="read_only",
        rests=True,
    ),
}
