"""Rebuild the artefact of engine `local`: `python -m training.train --data DIR [--out FILE]`.

The same data gives the same bytes, as long as sums are taken in the same order: run it by
`make train`, which settles the libraries' versions and their kernels. Two minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import threadpoolctl
from pointsman_server.engines.local import artefact as files

from training.calibrate import calibrate
from training.fit import Recipe, fit
from training.pack import PLACEHOLDER_CURVES, pack
from training.provenance import record
from training.samples import Samples, samples

SHIPPED = Path(files.__file__).with_name(files.SHIPPED)


def build(found: Samples, *, recipe: Recipe) -> files.Artefact:
    """Fit, pack and calibrate."""
    # One thread: sums of floats in another order would give other bytes.
    with threadpoolctl.threadpool_limits(1):
        fitted = fit(found, recipe=recipe)
        version = version_of(found, recipe=recipe)
        gain = {"difficulty_gain": recipe.difficulty_gain}
        raw = pack(fitted, version=version, extra={**PLACEHOLDER_CURVES, **gain})
        curves = calibrate(found, raw)
        return pack(fitted, version=version, extra={**curves, **gain, "sources": record(found)})


def version_of(found: Samples, *, recipe: Recipe) -> str:
    """A digest of the artefact's inputs: its settings and every training prompt's stem."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    for name, table in sorted(found.train.items()):
        digest.update(f"{name}:{len(table)}".encode())
        for key in table.stems:
            digest.update(hashlib.sha256(key.encode()).digest())
    for request in found.requests:
        digest.update(hashlib.sha256(request.text.encode("utf-8", "replace")).digest())
    return digest.hexdigest()[:12]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="path of the artefact")
    parser.add_argument("--share", type=float, default=1.0, help="part of the data, for trials")
    arguments = parser.parse_args()
    content = files.dump(build(samples(arguments.data, share=arguments.share), recipe=Recipe()))
    files.parse(content)
    arguments.out.write_bytes(content)
    print(f"{arguments.out}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
