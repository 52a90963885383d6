"""What the package exports; adding or removing a name is a decision, not an accident."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pointsman_client
import pytest
from pointsman_client import testing

PUBLIC = """
DECIDE_TIMEOUT ROUTE_TIMEOUT ApiKind Choice Classification ClassificationHead ClientClosed
ClientFault Constraints ConversationSource DataPolicy DeadlineExceeded Decision Denied DropReason
DroppedCandidate EngineDescription EngineFailure EngineState ErrorFacts Fallback FieldViolation
InvalidRequest Keepalive Mirror MirrorCounts MirrorLimits MirrorPlan MirrorSkip Modality Mode
ModelDescription NormalisedPrompt NotFound Outcome Overloaded PolicyProblem RankedCandidate Reason
RouteRequest RouteResult Routing RoutingClient RoutingDescription RoutingError ServiceFault Source
Stickiness SwitchReason TierDescription Tls TokenFile Transport Unavailable Unsupported UnusableBody
normalise plan_mirror read_body routing_from
Attempt FailedAttempt NoAttempts ProfileDescription ProfileShare PurposeDescription ResolvedRoute
UnusableResponse failed_attempts in_trace_of usable_id
BodySession BodyUser Identity IdentitySources ResponseChains identify read_generate_content
ConversationKey Served ServedModels conversation_key split_user_id TierRequest tier_request
AsyncRoutingClient SyncRoutingClient
""".split()  # noqa: SIM905  # a paragraph is easier to review than a column

FOLDER = Path(pointsman_client.__file__).parent


def test_the_exported_names_are_these() -> None:
    assert sorted(pointsman_client.__all__) == sorted(PUBLIC)
    assert all(hasattr(pointsman_client, name) for name in PUBLIC)


def test_the_fake_exports_these() -> None:
    assert {"FOREVER", "Call", "FakeService", "Refusal", "not_routed", "routed"} <= set(
        vars(testing)
    )


@pytest.mark.parametrize("name", ["ApiKind", "Choice", "RouteRequest", "RouteResult", "Tls"])
def test_public_values_say_what_they_are(name: str) -> None:
    assert getattr(pointsman_client, name).__doc__


def test_the_client_needs_nothing_but_grpc_and_protobuf() -> None:
    allowed = set(sys.stdlib_module_names) | {
        "google", "grpc", "opentelemetry", "pointsman", "pointsman_client",
    }  # fmt: skip
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                assert module.partition(".")[0] in allowed, (path, module)
                assert not module.startswith("google.rpc"), (path, module)


def test_the_client_starts_where_nothing_else_is_installed() -> None:
    """In a fresh interpreter that has neither the server nor OpenTelemetry nor google.rpc."""
    program = (
        "import sys\n"
        "for name in ('opentelemetry', 'google.rpc', 'grpc_status', 'pointsman_server'):\n"
        "    sys.modules[name] = None\n"
        "import pointsman_client, pointsman_client.testing, pointsman_client.cli\n"
        "print(len(pointsman_client.__all__))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, str(len(PUBLIC))), run.stderr
