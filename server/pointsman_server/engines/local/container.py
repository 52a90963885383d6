"""File format of artefacts: a JSON header and named arrays, guarded by a checksum.

Layout: a magic line, the SHA-256 of everything after it in hex, the length of the header, the
header as JSON (`meta`, and name, type and shape of each array), then the arrays one after the
other, uncompressed, little-endian. Equal content gives equal bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.errors import ArtefactInvalid

_DIGEST: Final = 64
_LENGTH: Final = 8
_MAGIC: Final = re.compile(rb"POINTSMAN [A-Z]+ \d{1,3}\n")
_TYPES: Final = {"int8": "|i1", "uint8": "|u1", "int32": "<i4", "float16": "<f2", "float32": "<f4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Metadata (plain JSON) and arrays by name."""

    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def unpack(content: bytes, *, magic: bytes) -> Container:
    """Check the bytes of a container. Raises `ArtefactInvalid`."""
    if not content.startswith(magic):
        raise ArtefactInvalid(_other(content, magic=magic))
    # Views: a copy of these megabytes would last as long as the arrays.
    body = memoryview(content)[len(magic) + _DIGEST :]
    if hashlib.sha256(body).hexdigest().encode() != content[len(magic) : len(magic) + _DIGEST]:
        raise ArtefactInvalid("its checksum does not fit: it is cut short or was changed")
    try:
        length = int(bytes(body[:_LENGTH]))
        header = json.loads(bytes(body[_LENGTH : _LENGTH + length]))
        arrays = _arrays(header["arrays"], body[_LENGTH + length :])
        return Container(meta=header["meta"], arrays=arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactInvalid("its header does not describe its content") from error


def _arrays(described: list[list[Any]], content: memoryview) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for name, kind, shape in described:
        flat = np.frombuffer(content, _TYPES[kind], count=int(np.prod(shape)), offset=at)
        # Copies of the small ones that begin at odd addresses, at which products are slow.
        aligned = flat if flat.flags.aligned else flat.copy()
        arrays[name] = aligned.reshape(shape)
        at += flat.nbytes
    if at != len(content):
        raise ValueError(at)
    return arrays


def _other(content: bytes, *, magic: bytes) -> str:
    """Say what `content` is in place of a container of this format."""
    line = _MAGIC.match(content)
    if line is None:
        return "it is not an artefact of the engine `local`"
    found, wanted = (each.decode().strip() for each in (line[0], magic))
    return f"it is a {found!r}, and {wanted!r} is read here: name or make one of those"


def content_of(path: Path | None, *, package: str, name: str) -> bytes:
    """The bytes of an artefact; `None`: the one in the wheel. Raises `ArtefactInvalid`."""
    try:
        return (resources.files(package) / name if path is None else path).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ArtefactInvalid(f"cannot be read: {why}") from error


def pack(container: Container, *, magic: bytes) -> bytes:
    """The bytes of a container."""
    arrays = [(name, np.ascontiguousarray(array)) for name, array in container.arrays.items()]
    described = [[name, array.dtype.name, list(array.shape)] for name, array in arrays]
    header = json.dumps(
        {"meta": container.meta, "arrays": described}, sort_keys=True, separators=(",", ":")
    ).encode()
    content = b"".join(array.astype(_TYPES[array.dtype.name]).tobytes() for _, array in arrays)
    body = f"{len(header):0{_LENGTH}d}".encode() + header + content
    return magic + hashlib.sha256(body).hexdigest().encode() + body
