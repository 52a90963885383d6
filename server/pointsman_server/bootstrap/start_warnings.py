"""Warnings at the start: settings and policies that are probably mistakes."""

from __future__ import annotations

import logging

from pointsman_server.policies.schema import Loaded
from pointsman_server.settings import Settings
from pointsman_server.supervisor.protocol import WorkerAssignment

_log = logging.getLogger(__name__)


def named_variables(loaded: Loaded) -> list[str]:
    """Name the variables from which the policy file has secrets read."""
    rules = loaded.policy_file
    keys = [rules.morph.key_env, *(model.key_env for model in rules.decision_models.values())]
    return [name for name in (*keys, rules.cache.password_env) if name]


def speaks(duty: WorkerAssignment | None) -> bool:
    """Whether to warn: of several workers with one environment, only the first does."""
    return duty is None or duty.index == 0


def warn_at_start(settings: Settings, loaded: Loaded, duty: WorkerAssignment | None) -> None:
    """Warn of settings that are probably mistakes."""
    if not speaks(duty):
        return
    if settings.cuts_streams:
        _log.warning(
            "POINTSMAN_MAX_CONNECTION_AGE_GRACE=%g is not above POINTSMAN_STREAM_MAX_AGE=%g:"
            " streams are cut off, and do not end by themselves",
            settings.max_connection_age_grace,
            settings.stream_max_age,
        )
    for warning in loaded.warnings:
        _log.warning("policy file: %s: %s", warning.path, warning.message)
    if duty is not None and not loaded.policy_file.cache.shared:
        _log.warning(
            "workers do not share the cache %s: a conversation keeps its model only on one"
            " connection, or with a shared cache",
            loaded.policy_file.cache.url,
        )
