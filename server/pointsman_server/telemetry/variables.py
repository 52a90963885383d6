"""The standard `OTEL_*` variables as pydantic-settings models.

As OpenTelemetry's specification says, a blank variable is an unset one, and a variable that cannot
be used is reported and counts as unset.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pointsman_server.core.errors import Problem
from pointsman_server.lib.host_port import HIGHEST_PORT

PREFIX: Final = "OTEL_"
OTLP_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
SAMPLERS: Final = {
    "always_on": (1.0, False),
    "always_off": (0.0, False),
    "traceidratio": (None, False),
    "parentbased_always_on": (1.0, True),
    "parentbased_always_off": (0.0, True),
    "parentbased_traceidratio": (None, True),
}
"""Name -> the share of root spans (`None`: the argument), whether the caller's flag decides."""

_LIMITS: Final = tuple(
    f"{PREFIX}{name}_LIMIT"
    for name in (
        "ATTRIBUTE_COUNT",
        "ATTRIBUTE_VALUE_LENGTH",
        "SPAN_ATTRIBUTE_COUNT",
        "SPAN_ATTRIBUTE_VALUE_LENGTH",
        "SPAN_EVENT_COUNT",
        "SPAN_LINK_COUNT",
        "EVENT_ATTRIBUTE_COUNT",
        "LINK_ATTRIBUTE_COUNT",
    )
)
"""Limits that the SDK reads by itself, and raises at others than these."""

Model = TypeVar("Model", bound=BaseSettings)


def _pairs(value: object) -> object:
    """`key=value,key=value`, values percent-encoded; they may be secrets."""
    if not isinstance(value, str):
        return value
    pairs: dict[str, str] = {}
    for item in filter(None, map(str.strip, value.split(","))):
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise ValueError("must be key=value pairs separated by commas")
        pairs[unquote(key.strip())] = unquote(text.strip())
    return pairs


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _url(value: str) -> str:
    if "@" in value:
        # An exporter's error quotes its endpoint.
        raise ValueError("must hold no credentials: send them as OTEL_EXPORTER_OTLP_HEADERS")
    urlsplit(value)
    return value


def _file(value: str) -> str:
    if not Path(value).is_file():
        raise ValueError("must name a file")
    return value


Pairs: TypeAlias = Annotated[dict[str, str], BeforeValidator(_pairs)]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_names)]
Url: TypeAlias = Annotated[str, BeforeValidator(_url)]
File: TypeAlias = Annotated[str, BeforeValidator(_file)]
Milliseconds: TypeAlias = Annotated[float, Field(ge=1, le=2**31, allow_inf_nan=False)]
Switch: TypeAlias = Annotated[Literal["true", "false"], BeforeValidator(_lower)]
Sampler: TypeAlias = Annotated[
    Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ],
    BeforeValidator(_lower),
]
Protocol: TypeAlias = Annotated[Literal["grpc", "http/protobuf"], BeforeValidator(_lower)]
Compression: TypeAlias = Annotated[Literal["gzip", "deflate", "none"], BeforeValidator(_lower)]


class _Variables(BaseSettings):
    """Reads the mapping that it is given, never the process's environment."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings passes all five)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """See pydantic-settings."""
        return (init_settings,)


class OtelVariables(_Variables):
    """One field a variable: `traces_sampler` is `OTEL_TRACES_SAMPLER`."""

    sdk_disabled: Switch = "false"
    service_name: str | None = None
    resource_attributes: Pairs = {}
    propagators: Names = ("tracecontext",)
    """The standard's default adds `baggage`; it is left out, because engine calls would carry a
    gateway's baggage on to a third party."""
    traces_sampler: Sampler = "parentbased_always_on"
    traces_sampler_arg: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)
    traces_exporter: Names | None = None
    metrics_exporter: Names | None = None
    bsp_schedule_delay: Milliseconds = 5_000
    bsp_max_queue_size: int = Field(default=2_048, ge=1, le=2**31)
    bsp_max_export_batch_size: int | None = Field(default=None, ge=1, le=2**31)
    metric_export_interval: Milliseconds = 60_000
    exporter_prometheus_host: str = "localhost"
    exporter_prometheus_port: int = Field(default=9_464, ge=0, le=HIGHEST_PORT)


class OtlpVariables(_Variables):
    """`OTEL_EXPORTER_OTLP_*`, and the same of one signal."""

    endpoint: Url | None = None
    protocol: Protocol | None = None
    headers: Pairs | None = None
    timeout: Milliseconds | None = None
    compression: Compression | None = None
    certificate: File | None = None
    client_key: File | None = None
    client_certificate: File | None = None


class Environment:
    """An environment's `OTEL_*` variables, and the problems found in them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {
            name: value.strip() for name, value in environ.items() if name.startswith(PREFIX)
        }
        self._problems: dict[str, str] = {}
        for name in _LIMITS:
            value = self._given.get(name, "").lower()
            if value and value != "unset" and not (value.isascii() and value.isdecimal()):
                self.ignore(name, "must be a number, not negative, or `unset`")

    def ignore(self, name: str, why: str) -> None:
        """Note that the variable `name` is not used as it is."""
        self._problems.setdefault(name, why)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every variable that is not used; no value is quoted."""
        return tuple(Problem(name, why) for name, why in self._problems.items())

    @property
    def unused(self) -> frozenset[str]:
        """Names of variables that are blank or cannot be used."""
        return frozenset(self._problems) | {n for n, v in self._given.items() if not v}

    def read(self, model: type[Model], prefix: str) -> Model:
        """Read the variables of `model`; an invalid value is noted and replaced by its default."""
        given: dict[str, Any] = {
            field: value
            for field in model.model_fields
            if (value := self._given.get(prefix + field.upper()))
        }
        try:
            return model(**given)
        except ValidationError as error:
            for problem in error.errors():
                field = str(problem["loc"][0])
                why = problem["msg"].removeprefix("Value error, ")
                self.ignore(prefix + field.upper(), why.replace("Input should", "must"))
                given.pop(field, None)
        return model(**given)


@contextmanager
def hidden(names: Iterable[str]) -> Iterator[None]:
    """Take variables out of the process's environment for a while.

    The SDK and its exporters read the environment by themselves, and raise at some values or log
    them.
    """
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)
