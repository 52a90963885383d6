"""What every span and metric of this process says of where it comes from."""

from __future__ import annotations

from importlib.metadata import version
from uuid import uuid4

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.version import __version__ as sdk_version

from pointsman_server.telemetry.config import TelemetryRules


def build_resource(rules: TelemetryRules, worker: int | None = None) -> Resource:
    """The attributes that `rules` name, and those of this program, its `worker` and its SDK."""
    # Tells the cumulative sums of replicas apart, and those of one replica's workers.
    given = rules.resource.get("service.instance.id")
    instance = str(uuid4()) if given is None else given
    if given is not None and worker is not None:
        instance = f"{given}/{worker}"
    # Not `Resource.create`: it starts threads and reads the environment once more.
    return Resource(
        {
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
            "service.version": version("pointsman"),
            **rules.resource,
            "service.instance.id": instance,
        }
    )
