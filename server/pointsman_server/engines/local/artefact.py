"""The trained file: its content, and how to read, check and write it.

Layout: the line `POINTSMAN LOCAL 1`, the SHA-256 of all that follows in hex, the length of the
header, the header as JSON (metadata, and name, type and shape of every array), then the arrays,
one after the other, uncompressed, little-endian. Nothing in it depends on the clock or the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local import features, hashing
from pointsman_server.engines.local.container import Container, content_of, pack, unpack

MAGIC: Final = b"POINTSMAN LOCAL 1\n"
SHIPPED: Final = "local.bin"
"""The artefact's name beside this module, in the wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """The weights of all heads.

    Columns of `table`, `dense` and `bias`, in this order: `hidden` (the topic head's narrow
    middle), difficulty, leverage, its correction on the topic `leverage_topic`, one per
    domain, vague.
    """

    meta: Mapping[str, Any]
    """Version, topics (with their broad topic), calibration curves, sources; plain JSON."""
    table: NDArray[np.int8]
    """buckets x columns; times `scale` it is the weight of a hashed word."""
    scale: NDArray[np.float32]
    """columns."""
    dense: NDArray[np.float32]
    """dense features x columns, for standardised features."""
    bias: NDArray[np.float32]
    """columns."""
    center: NDArray[np.float32]
    """dense features: means for standardisation."""
    deviation: NDArray[np.float32]
    """dense features: deviations for standardisation."""
    project: NDArray[np.float32]
    """hidden x topics."""
    topic_bias: NDArray[np.float32]
    """topics."""
    easiness: NDArray[np.float32]
    """topics: easiness relative to the average topic, in logits, for the models of the training
    sets."""
    output_tokens: NDArray[np.float32]
    """topics: expected length of an answer."""

    @property
    def version(self) -> str:
        """Identifies the weights behind a decision."""
        return str(self.meta["version"])

    @property
    def topics(self) -> tuple[str, ...]:
        """The fine topics, in the order of the topic head."""
        return tuple(topic["name"] for topic in self.meta["topics"])

    @property
    def broad_topics(self) -> tuple[str, ...]:
        """For each fine topic the broad one that it belongs to."""
        return tuple(topic["broad"] for topic in self.meta["topics"])


_META: Final = {
    *("version", "features", "topics", "score_mix", "difficulty_gain", "leverage_topic"),
    *("curves", "terciles", "domain_threshold"),
}
_ARRAYS: Final = tuple(field.name for field in fields(Artefact) if field.name != "meta")


def load(path: Path | None = None) -> Artefact:
    """Read and check an artefact; without a path the shipped one. Raises `ArtefactInvalid`.

    The same content gives the same artefact.
    """
    return parse(content_of(path, package=__package__, name=SHIPPED))


@lru_cache(maxsize=2)
def parse(content: bytes) -> Artefact:
    """Check the bytes of an artefact and give them their shapes. Raises `ArtefactInvalid`."""
    found = unpack(content, magic=MAGIC)
    try:
        artefact = Artefact(meta=found.meta, **found.arrays)
    except TypeError as error:
        raise ArtefactInvalid("its header does not describe its content") from error
    _check(artefact)
    return artefact


def _check(artefact: Artefact) -> None:
    """Whether the arrays fit this code and each other."""
    if artefact.meta.get("features") != features.VERSION:
        raise ArtefactInvalid("it was made for another version of the features")
    missing = sorted(_META - set(artefact.meta))
    if missing:
        raise ArtefactInvalid(f"its header lacks {', '.join(missing)}")
    buckets, columns = artefact.table.shape
    hidden, topics = artefact.project.shape
    heads = hidden + 3 + len(DOMAINS) + 1
    names = len(features.DENSE_NAMES)
    expected = {
        "table": (1 << hashing.BITS, heads),
        "scale": (heads,),
        "dense": (names, heads),
        "bias": (heads,),
        "center": (names,),
        "deviation": (names,),
        "topic_bias": (topics,),
        "easiness": (topics,),
        "output_tokens": (topics,),
    }
    if artefact.meta["leverage_topic"] not in artefact.topics:
        raise ArtefactInvalid("its header names a leverage topic that it does not know")
    wrong = [name for name, shape in expected.items() if getattr(artefact, name).shape != shape]
    if wrong or len(artefact.topics) != topics or not buckets or not columns:
        raise ArtefactInvalid(f"its arrays do not fit together: {', '.join(wrong) or 'topics'}")


def dump(artefact: Artefact) -> bytes:
    """The bytes of an artefact; equal artefacts give equal bytes."""
    arrays = {name: getattr(artefact, name) for name in _ARRAYS}
    return pack(Container(meta=artefact.meta, arrays=arrays), magic=MAGIC)
