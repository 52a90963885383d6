"""The semantic reader of `pointsman[semantic]`: a fine-tuned sentence encoder, int8, as ONNX.

Its weights are a separate distribution, `pointsman-semantic`; onnxruntime runs them. Its logits
are mixed with the default reader's, which knows more languages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import numpy as np

from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers.calibration import Calibration
from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import RequestEstimate
from pointsman_server.engines.local.readers.network import OUTPUTS, sizes
from pointsman_server.engines.local.readers.wordpiece import WordPieces

PACKAGE: Final = "pointsman_semantic"
MODEL, VOCABULARY, HEADER = "model.onnx", "vocabulary.txt", "header.json"
FORMAT: Final = 2

MISSING: Final = (
    "the semantic reader's weights are not installed: in a clone of Pointsman, pip install"
    " ./packages/pointsman-semantic '.[semantic]', or set engines.local.reader to default"
)


class SemanticReader:
    """Reads a request with the encoder; about 10 ms for a hundred words on one core."""

    def __init__(self, folder: Traversable, *, default: DefaultReader) -> None:
        header = _header(folder)
        self._default = default
        self._calibration = Calibration.of(header.get("calibration", {}))
        self.share = float(header["share"])
        """The weight of its logits in the mix with the default reader's, 0..1."""
        self.unsure = float(header["unsure"])
        """The default reader's confidence below which `auto` asks the semantic one, 0..1."""
        self.version = f"{header['version']}+{default.version}"
        self._pieces = _pieces(_bytes(folder, VOCABULARY))
        self._session = _session(_bytes(folder, MODEL))

    @classmethod
    def load(cls, default: DefaultReader, *, folder: Path | None = None) -> SemanticReader:
        """Build the reader from a folder or the installed package. Raises `ArtefactInvalid`."""
        try:
            return cls(folder or resources.files(PACKAGE), default=default)
        except ModuleNotFoundError as error:
            raise ArtefactInvalid(MISSING) from error

    def read(self, text: str) -> RequestEstimate:
        """Estimate `text`: any string, of any length and language."""
        return self._calibration.estimate(self.mixed(text))

    async def read_async(
        self,
        text: str,
        *,
        by: float | None = None,  # noqa: ARG002 (a fixed amount of work)
    ) -> RequestEstimate:
        """Estimate `text` on another thread."""
        return await asyncio.to_thread(self.read, text)

    def mixed(self, text: str) -> list[float]:
        """The logits of both readers, mixed, before calibration."""
        text, share = self._default.seen(text), self.share
        own, other = self._encoded(text), self._default.network.logits(text)
        return [share * a + (1.0 - share) * b for a, b in zip(own, other, strict=True)]

    def _encoded(self, text: str) -> list[float]:
        """The encoder's logits of a text."""
        inputs = {
            "ids": np.array([self._pieces.encode(text)], np.int64),
            "sizes": np.array([sizes(text)], np.float32),
        }
        found: list[float] = self._session.run(None, inputs)[0][0].tolist()
        return found


def _header(folder: Traversable) -> Mapping[str, Any]:
    try:
        header: Mapping[str, Any] = json.loads(_bytes(folder, HEADER))
        missing = {"format", "version", "share", "unsure"} - set(header)
    except (ValueError, TypeError) as error:
        raise ArtefactInvalid(f"{HEADER} cannot be read") from error
    if missing or header["format"] != FORMAT:
        raise ArtefactInvalid(f"{HEADER} is of another format")
    return header


def _bytes(folder: Traversable, name: str) -> bytes:
    try:
        return folder.joinpath(name).read_bytes()
    except OSError as error:
        raise ArtefactInvalid(f"{name} cannot be read: {type(error).__name__}") from error


@lru_cache(maxsize=1)
def _pieces(vocabulary: bytes) -> WordPieces:
    return WordPieces(vocabulary.decode().split("\n"))


# A reload takes the session that it has, as it takes the default reader.
@lru_cache(maxsize=1)
def _session(model: bytes) -> Any:
    """The model in onnxruntime, on one thread. Raises `ArtefactInvalid`."""
    import onnxruntime  # noqa: PLC0415  (an extra: 50 MB that the default reader does without)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        outputs = session.get_outputs()
    except Exception as error:
        raise ArtefactInvalid(f"{MODEL} cannot be loaded: {type(error).__name__}") from error
    if outputs[0].shape[-1] != OUTPUTS:
        raise ArtefactInvalid(f"{MODEL} has other heads")
    return session
