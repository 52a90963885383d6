"""The name that a call is counted under."""

from __future__ import annotations

import asyncio

import pytest
from pointsman_server.transport.security.peer_identity import (
    TOKEN_NAME,
    named_by_token,
    named_by_token_or_certificate,
)

SAN, CN = "x509_subject_alternative_name", "x509_common_name"


class Context:
    """A call over a connection with these properties, as gRPC names them."""

    def __init__(self, **properties):
        self._properties = properties

    def auth_context(self):
        return self._properties


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({}, None),
        ({"transport_security_type": [b"ssl"]}, None),
        ({CN: [b"gateway"]}, "gateway"),
        ({CN: [b"gateway"], SAN: [b"spiffe://test/a", b"b.test"]}, "spiffe://test/a"),
        ({CN: [b"gateway"], SAN: []}, "gateway"),
        ({CN: [b"g" * 300]}, "g" * 256),
        ({CN: [b"caf\xe9"]}, "caf\N{REPLACEMENT CHARACTER}"),
    ],
    ids=str,
)
async def test_without_a_token_a_client_certificate_names_the_caller(properties, name):
    assert named_by_token_or_certificate(Context(**properties)) == name
    assert named_by_token(Context(**properties)) is None


@pytest.mark.parametrize("named", [named_by_token, named_by_token_or_certificate])
async def test_a_token_names_the_caller_before_a_certificate_does(named):
    TOKEN_NAME.set("edge")
    assert named(Context(**{CN: [b"gateway"]})) == "edge"


async def test_the_name_of_one_call_is_not_that_of_another():
    async def call(name):
        if name is not None:
            TOKEN_NAME.set(name)
        await asyncio.sleep(0)
        return named_by_token(Context())

    names = ["edge", None, "batch"]
    assert await asyncio.gather(*map(call, names)) == names
