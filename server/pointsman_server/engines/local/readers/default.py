"""The default reader: numpy only, in the wheel.

A first, linear reader over the dense measurements of `features`: it knows little more than a
request's length and vocabulary.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local import features
from pointsman_server.engines.local.artefact import DOMAINS
from pointsman_server.engines.local.container import Container, unpack
from pointsman_server.engines.local.readers.estimate import DIFFICULTIES, RequestEstimate

MAGIC: Final = b"POINTSMAN READER 1\n"
SHIPPED: Final = "reader.bin"
"""The artefact's name beside this module, in the wheel."""

Floats = NDArray[np.floating]


class DefaultReader:
    """Reads a request with the weights of an artefact."""

    def __init__(self, container: Container) -> None:
        self._weights = container.arrays["weights"]
        self._bias = container.arrays["bias"]
        self._center = container.arrays["center"]
        self._deviation = container.arrays["deviation"]
        self._hard = float(container.meta["hard_threshold"])
        self.version = str(container.meta["version"])

    @classmethod
    def load(cls, path: Path | None = None) -> DefaultReader:
        """Build the reader from a file or the one in the wheel. Raises `ArtefactInvalid`."""
        try:
            if path is None:
                content = resources.files(__package__).joinpath(SHIPPED).read_bytes()
            else:
                content = path.read_bytes()
        except OSError as error:
            raise ArtefactInvalid(f"cannot be read: {type(error).__name__}") from error
        return cls(unpack(content, magic=MAGIC))

    def read(self, text: str) -> RequestEstimate:
        """Estimate `text`: any string, of any length."""
        dense = (features.extract(text).dense - self._center) / self._deviation
        logits = (np.clip(dense, -4, 4) @ self._weights + self._bias).tolist()
        return estimate(logits, hard=self._hard)


def estimate(logits: list[float], *, hard: float) -> RequestEstimate:
    """The estimate that eleven logits stand for.

    Four say that the effort is above 1, 2, 3, 4; five are the domains'; needs_info; turn.
    """
    above = [1.0, *(_sigmoid(logit) for logit in logits[:4]), 0.0]
    for at in range(1, 5):
        above[at] = min(above[at], above[at - 1])
    effort = tuple(above[at] - above[at + 1] for at in range(5))
    top = max(logits[4:9])
    powers = [math.exp(logit - top) for logit in logits[4:9]]
    domains = tuple(power / sum(powers) for power in powers)
    shares = (effort[0] + effort[1], effort[2], effort[3] + effort[4])
    label = 2 if shares[2] >= hard else int(shares[1] > shares[0])
    domain = domains.index(max(domains))
    return RequestEstimate(
        effort=(effort[0], effort[1], effort[2], effort[3], effort[4]),
        difficulty=DIFFICULTIES[label],
        difficulty_confidence=shares[label],
        domains=domains,
        domain=DOMAINS[domain],
        domain_confidence=domains[domain],
        needs_info=_sigmoid(logits[9]),
        turn=_sigmoid(logits[10]),
    )


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(min(logit, 30.0), -30.0)))
