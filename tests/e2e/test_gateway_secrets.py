"""The example gateways against a service that requires TLS, a client certificate and a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.parts.gateways import GO, GRPC_JS, JAVA, NODE, PYTHON, RUST, Kind, gateway
from e2e.parts.language_clients import TOKEN, secured
from e2e.parts.pointsman import MorphApi
from e2e.parts.upstream import Upstream

KINDS = (GO, NODE, GRPC_JS, JAVA, PYTHON, RUST)
DEADLINE_MS = "5000"
"""Of a decision: more than a busy machine takes for the first handshake."""
BODY = {
    "model": "kilo-auto/frontier",
    "messages": [{"role": "user", "content": "Please guard this accessor against null."}],
}


@pytest.fixture(scope="module")
def service(folder: Path, morph: MorphApi) -> Iterator[dict[str, str]]:
    """The variables of the gateways, without the token."""
    with secured(folder, morph) as where:
        names = {"CA": "CA_FILE", "CERT": "CERT_FILE", "KEY": "KEY_FILE"}
        files = {f"POINTSMAN_{new}": where[f"POINTSMAN_{old}"] for old, new in names.items()}
        yield {"POINTSMAN_ADDRESS": where["POINTSMAN_ADDRESS"], **files}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, id=k.name, marks=pytest.mark.part(k.name)) for k in KINDS]
)
@pytest.mark.scenario("TLS, a client certificate and a token")
def test_a_gateway_gets_in_with_a_token_only(
    kind: Kind,
    service: dict[str, str],
    folder: Path,
    morph: MorphApi,
    upstream: Upstream,
) -> None:
    morph.always("gpt-5.5")
    token = folder / f"token-of-{kind.folder}"
    token.write_text("wrong")
    settings = {**service, "POINTSMAN_TIMEOUT_MS": DEADLINE_MS, "POINTSMAN_TOKEN_FILE": str(token)}
    with gateway(
        kind,
        folder,
        mode="serve",
        pointsman=service["POINTSMAN_ADDRESS"],
        upstream=upstream.url,
        environment=settings,
    ) as running:
        denied = running.ask(BODY, {"x-user-id": "user-1"})
        assert denied.headers["x-gateway-why"] == "fallback"
        token.write_text(TOKEN)
        answer = running.ask(BODY, {"x-user-id": "user-1"})
        assert answer.headers["x-gateway-why"] == "routed", running.program.tail()
