"""The model at the start of a body that is cut off, where only scalars stand before it."""

from __future__ import annotations

import json
import re

from pointsman_extproc.body import Body
from pointsman_extproc.salvage import Found

_BLANK = rb"[ \t\r\n]{0,256}"
_STRING = rb'"(?:[^"\\]|\\.){0,4096}"'
_SCALAR = rb"(?:%s|-?[0-9.eE+-]{1,64}|true|false|null)" % _STRING
_START = re.compile(_BLANK + rb"\{" + _BLANK, re.DOTALL)
_MEMBER = re.compile(
    rb"(%s)" % _STRING + _BLANK + rb":" + _BLANK + rb"(%s)" % _SCALAR + _BLANK + rb"[,}]" + _BLANK,
    re.DOTALL,
)
_MOST_MEMBERS = 64


def leading_model(start: Body) -> Found | None:
    """Return the first member `model`, of a tier or not; `None` behind a list or an object."""
    opened = _START.match(start)
    position = opened.end() if opened else len(start)
    for _ in range(_MOST_MEMBERS):
        member = _MEMBER.match(start, position)
        if member is None:
            return None
        if _value(member[1]) == "model":
            value = _value(member[2])
            if not isinstance(value, str):
                return None
            return Found(value.strip().lower(), member.start(2), member.end(2))
        position = member.end()
    return None


def _value(literal: bytes) -> object:
    try:
        value: object = json.loads(literal)
    except ValueError:
        return None
    return value
