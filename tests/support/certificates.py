"""Certificates for tests, made with openssl: an authority and whom it vouches for."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Pair:
    """A certificate, its key, and who vouches for it."""

    certificate: Path
    key: Path
    ca: Path

    def put(self, folder: Path) -> Pair:
        """Copies with names that stay: each is moved over what was there."""
        there = Pair(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
        for source, target in zip(self.files(), there.files(), strict=True):
            new = target.with_suffix(".new")
            new.write_bytes(source.read_bytes())
            new.replace(target)
        return there

    def files(self) -> tuple[Path, Path, Path]:
        return self.certificate, self.key, self.ca


class Authority:
    """Signs certificates; its own is `certificate`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            message = "openssl is not installed"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        self._folder = folder
        self._issued = 0
        self._name = name
        self._key = folder / f"{name}.key"
        self.certificate = folder / f"{name}.pem"
        _openssl(
            "req", "-x509", *_CURVE, "-days", "2", "-subj", f"/CN={name}",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def issue(
        self,
        name: str = "localhost",
        *,
        days: int = 2,
        use: str = "serverAuth,clientAuth",
        names: str | None = None,
    ) -> Pair:
        """A certificate with the CN `name`; `names` are its SANs, by default `DNS:name`."""
        self._issued += 1
        stem = self._folder / f"{self._name}-{self._issued}"
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"), self.certificate)
        names = f"DNS:{name}" if names is None else names
        lines = [f"subjectAltName={names}"] if names else []
        extensions.write_text("\n".join([*lines, f"extendedKeyUsage={use}", ""]))
        _openssl("req", *_CURVE, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
            "-CAcreateserial", "-days", str(days), "-extfile", extensions,
            "-out", pair.certificate,
        )  # fmt: skip
        return pair


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
