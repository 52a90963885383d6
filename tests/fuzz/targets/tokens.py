"""The file of tokens: names and hashes, or an error that says the line and nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.transport.security.bearer_auth import token_hash
from pointsman_server.transport.security.token_file import TokenFile

from fuzz.targets.target import Reader, Target

TOLD = re.compile(r"tokens file(, line [0-9]+: expected `name sha256-in-hex`|: not UTF-8)")


@contextmanager
def opened() -> Iterator[Reader]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokens"

        def read(data: bytes) -> None:
            path.write_bytes(data)
            try:
                tokens = TokenFile(path)()
            except SourceUnreadable as error:
                assert TOLD.fullmatch(str(error)), str(error)
                return
            assert all(tokens.values())
            assert all(re.fullmatch("[0-9a-f]{64}", known) for known in tokens)

        yield read


def seeds() -> Iterator[bytes]:
    yield b"# who may call\n\ngateway " + token_hash("a").encode() + b"\n"
    yield b"a\t" + token_hash("b").encode() + b"\r\nb " + token_hash("c").encode() + b"\x85"
    yield b"\xff\xfe"


TARGET = Target(opened=opened, seeds=seeds, longest=1_024, mutations=40)
