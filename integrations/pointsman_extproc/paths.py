"""From the path of a request to its API, and to the model where the path names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from pointsman_client import ApiKind


class Purpose(StrEnum):
    """The purpose of a request."""

    TURN = "turn"
    """A turn of a conversation: it is decided."""
    SIDE = "side"
    """Token counting or compaction: it gets the model of its conversation."""
    UNKNOWN = "unknown"
    """Another API: a tier in it becomes the static pick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathModel:
    """The model that a path names, and the text around it."""

    model: str
    before: str
    after: str
    slash: bool
    """The name holds a slash as it stands, not encoded."""

    def with_model(self, model: str) -> str:
        """Return the path with another model."""
        return f"{self.before}{quote(model, safe='/' if self.slash else '')}{self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The API and the purpose of a path. `kind` is `UNSPECIFIED` for Gemini's and unknown APIs."""

    kind: ApiKind = ApiKind.UNSPECIFIED
    purpose: Purpose = Purpose.UNKNOWN
    gemini: bool = False
    stream: bool = False
    """The path asks for a streamed answer."""
    path_model: PathModel | None = None


_SIDE_ENDS = ("/count_tokens", "/compact", "/input_tokens")
# Each takes the model between its first and its last group; `rest` is looked at like a path.
_MODEL_PATHS = (
    re.compile(
        r"(?P<before>.*/models/)(?P<model>[^:?]{1,512})(?P<after>:(?P<action>\w+).*)", re.DOTALL
    ),
    re.compile(
        r"(?P<before>.*/deployments/)(?P<model>[^/?]{1,512}|[^/?]{1,256}/[^/?]{1,256}?)"
        r"(?P<after>(?P<rest>/(?:chat/|responses|messages|completions|embeddings).*))",
        re.DOTALL,
    ),
    re.compile(
        r"(?P<before>.*/model/)(?P<model>[^?]{1,512})(?P<after>/(?:invoke|converse)[\w-]*/?(?:\?.*)?)",
        re.DOTALL,
    ),
)
_GEMINI_TURNS = ("generateContent", "streamGenerateContent")
_GEMINI_SIDES = ("countTokens",)


def read_path(path: str, *, ends: Mapping[str, ApiKind]) -> Target:
    """Read a path; `ends` are the ends of the paths of each API."""
    for pattern in _MODEL_PATHS:
        if found := pattern.fullmatch(path):
            named = found["model"]
            model = PathModel(
                model=unquote(named),
                before=found["before"],
                after=found["after"],
                slash="/" in named or ("%" not in named and "/" not in unquote(named)),
            )
            groups = found.groupdict()
            if action := groups.get("action"):
                return _gemini(action, model=model)
            return _plain(groups.get("rest") or "", ends=ends, model=model)
    return _plain(path, ends=ends, model=None)


def _plain(path: str, *, ends: Mapping[str, ApiKind], model: PathModel | None) -> Target:
    bare = path.partition("?")[0].rstrip("/")
    purpose = Purpose.TURN
    for side in _SIDE_ENDS:
        if bare.endswith(side):
            bare, purpose = bare.removesuffix(side), Purpose.SIDE
            break
    kind = next((kind for end, kind in ends.items() if bare.endswith(end)), None)
    if kind is None:
        return Target(path_model=model)
    return Target(kind=kind, purpose=purpose, path_model=model)


def _gemini(action: str, *, model: PathModel) -> Target:
    if action in _GEMINI_TURNS:
        streams = action.startswith("stream")
        return Target(purpose=Purpose.TURN, gemini=True, stream=streams, path_model=model)
    if action in _GEMINI_SIDES:
        return Target(purpose=Purpose.SIDE, gemini=True, path_model=model)
    return Target(path_model=model)
