"""The reader that the policy file asks for."""

from __future__ import annotations

from pathlib import Path

from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.core.policy_file import LocalRules, ReaderKind
from pointsman_server.engines.local.readers import robustness
from pointsman_server.engines.local.readers.cascade import CascadeReader
from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import RequestReader
from pointsman_server.engines.local.readers.semantic import SemanticReader

_ALWAYS = 1.1
"""A bound that no confidence reaches."""


def load_reader(rules: LocalRules) -> RequestReader:
    """Build the reader. Raises `ArtefactInvalid`.

    An artefact that is not the shipped one has to pass the robustness check.
    """
    default = DefaultReader.load() if rules.artefact is None else _own(rules.artefact)
    if rules.reader is ReaderKind.DEFAULT:
        return default
    try:
        semantic = SemanticReader.load(default)
    except ArtefactInvalid as error:
        raise ArtefactInvalid(error.why, key="engines.local.reader") from error
    bound = _ALWAYS if rules.reader is ReaderKind.SEMANTIC else semantic.unsure
    return CascadeReader(default, semantic, bound=bound, deadline=rules.reader_deadline)


def _own(path: str) -> DefaultReader:
    """The operator's artefact, checked. Raises `ArtefactInvalid` with its key and path."""
    try:
        reader = DefaultReader.load(Path(path))
        robustness.check(reader)
    except ArtefactInvalid as error:
        raise ArtefactInvalid(f"{path}: {error.why}", key="engines.local.artefact") from error
    return reader
