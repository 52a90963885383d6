"""`pointsman decide` against the fake service, as a person and as a script see it."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import Reason
from pointsman_client.cli import decide, describe
from pointsman_client.testing import FakeService, Refusal, not_routed, routed
from support.threaded_fake import threaded_fake


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with threaded_fake() as service:
        yield service


def run(fake: FakeService, *argv: str) -> int:
    return decide([*argv, "--address", fake.target, "--timeout", "30"])


ROUTED = routed(
    "vendor/b",
    serve_model="vendor/a",
    shadow=True,
    policy="capability_heavy",
    difficulty="hard",
    confidence=0.875,
    domain="coding",
    cached=True,
    sticky=True,
    switch_reason=pb.SWITCH_REASON_UPGRADE,
    conversation_source=pb.CONVERSATION_SOURCE_SESSION,
    candidate_count=2,
    fallback_models=["vendor/a"],
    ranking=[
        {"model": "vendor/b", "score": 0.91, "estimated_cost": 0.0125},
        {"model": "vendor/a"},
    ],
    dropped=[{"model": "vendor/c", "reason": pb.DROP_REASON_UNMAPPED}],
    explanation="good at code",
)
ROUTED.failures.add(engine="morph", stage="http_503")
ROUTED.classification.difficulty.label = "hard"
ROUTED.classification.difficulty.confidence = 0.5

TABLE = """\
serve        vendor/a
static pick  vendor/a
decided      vendor/b (shadow: recorded, not served)
outcome      routed

source        local
policy        capability_heavy
difficulty    hard (88% sure)
ambiguity     -
domain        coding
cached        yes
sticky        yes
switched      upgrade
conversation  by session
candidates    2
then try      vendor/a
why           good at code

classified
  difficulty  hard (50% sure) (too unsure to act on)

ranking     score  cost in USD
  vendor/b   0.91     0.012500
  vendor/a      -            -

dropped
  vendor/c  unmapped (not in the policy file's catalog, or without a router_id)

failed
  morph  http_503

decision id  00000000-0000-7000-8000-000000000000
policy file  fake
"""


def test_a_decision_is_printed_with_its_why(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer(ROUTED)
    assert run(fake, "Fix it", "--tier", "t", "--static-pick", "vendor/a") == 0
    assert capsys.readouterr().out == TABLE


def test_a_request_that_is_not_routed_is_an_answer_too(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = not_routed("skipped", reason=Reason.INSUFFICIENT_CANDIDATES)
    answer.dropped.add(model="vendor/c", reason=pb.DROP_REASON_DENIED)
    fake.answer(answer)
    assert run(fake, "Fix it", "--tier", "t") == 0
    printed = capsys.readouterr().out
    assert "serve        - (nothing to serve)\n" in printed
    assert "outcome      skipped: insufficient_candidates\n" in printed
    assert "dropped\n  vendor/c  denied\n" in printed


def test_json_holds_the_whole_answer(fake: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
    fake.answer(ROUTED)
    assert run(fake, "Fix it", "--tier", "t", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["serve_model"] == "vendor/a"
    assert printed["decision"]["confidence"] == 0.875
    assert printed["decision"]["dropped"] == [{"model": "vendor/c", "reason": "unmapped"}]
    assert printed["failures"] == [{"engine": "morph", "stage": "http_503"}]


def test_the_arguments_become_the_request(fake: FakeService, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    fake.answer(routed("vendor/b"))
    status = run(
        fake,
        "Fix it",
        *("--tier", "t", "--candidate", "vendor/a", "--candidate", "vendor/b"),
        *("--session", "s", "--user", "u", "--static-pick", "vendor/a"),
        *("--token-file", str(token), "--dry-run", "--classify"),
    )
    assert status == 0
    call = fake.calls[0]
    assert call.metadata["authorization"] == "Bearer secret"
    assert call.request == pb.RouteDecisionRequest(
        prompt=pb.Prompt(user_prompt_prefix="Fix it"),
        caller=pb.Caller(user_id="u", session_id="s"),
        routing=pb.RoutingContext(
            auto_model="t", candidate_models=["vendor/a", "vendor/b"], resolved_model="vendor/a"
        ),
        constraints=pb.Constraints(),
        classify=True,
        dry_run=True,
    )


def test_a_dash_reads_the_prompt_from_standard_input(
    fake: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("piped in\n"))
    fake.answer(routed("vendor/b"))
    assert run(fake, "-", "--tier", "t") == 0
    assert fake.calls[0].request.prompt.user_prompt_prefix == "piped in"


def test_the_address_comes_from_the_environment(
    fake: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POINTSMAN_ADDRESS", fake.target)
    fake.answer(routed("vendor/b"))
    assert decide(["Fix it", "--tier", "t", "--timeout", "30"]) == 0


def test_a_refusal_names_every_field(fake: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
    fields = [("caller.user_id", "is blank"), ("routing.auto_model", "is blank")]
    fake.always(Refusal(status="INVALID_ARGUMENT", reason="INVALID_FIELD", violations=fields))
    assert run(fake, "Fix it", "--tier", "", "--user", "") == 3
    assert capsys.readouterr().err == (
        "pointsman decide: the request was refused:\n"
        "  caller.user_id: is blank\n"
        "  routing.auto_model: is blank\n"
    )
    assert run(fake, "Fix it", "--tier", "", "--json") == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed["kind"] == "invalid"
    assert printed["reason"] == "INVALID_FIELD"
    assert [each["field"] for each in printed["violations"]] == [field for field, _ in fields]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("UNAUTHENTICATED", 3),
        ("PERMISSION_DENIED", 3),
        ("UNIMPLEMENTED", 3),
        ("RESOURCE_EXHAUSTED", 1),
        ("INTERNAL", 1),
    ],
)
def test_other_statuses_tell_a_refusal_from_no_answer(
    fake: FakeService, capsys: pytest.CaptureFixture[str], status: str, code: int
) -> None:
    fake.answer(Refusal(status=status, message="words"))
    assert run(fake, "Fix it", "--tier", "t") == code
    assert f"pointsman decide: {status}: words" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_said_with_its_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
    assert decide(["Fix it", "--tier", "t", "--address", target, "--timeout", "30"]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"pointsman decide: no service at {target}: connection refused: start one with"
        " `pointsman serve`, or name another with --address or POINTSMAN_ADDRESS\n"
    )


def test_an_address_that_speaks_http_is_told_from_one_that_is_down(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        target = f"127.0.0.1:{server.server_port}"
        status = decide(["Fix it", "--tier", "t", "--address", target, "--timeout", "30"])
        server.shutdown()
    assert status == 1
    assert (
        f"the service at {target} does not speak gRPC: give the gRPC address, 127.0.0.1:50051"
        in capsys.readouterr().err
    )


def test_tls_towards_a_service_without_it_is_said(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fake, "Fix it", "--tier", "t", "--tls") == 1
    assert "does not use TLS: leave out --tls" in capsys.readouterr().err


def test_a_failed_handshake_is_one_line_on_standard_error(fake: FakeService) -> None:
    command = [sys.executable, "-m", "pointsman_server", "decide", "Fix it", "--tier", "t", "--tls"]
    quiet = {name: text for name, text in os.environ.items() if name != "GRPC_VERBOSITY"}
    run = subprocess.run(
        [*command, "--address", fake.target, "--timeout", "30"],
        capture_output=True, text=True, check=False, env=quiet,
    )  # fmt: skip
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1, run.stderr


def test_a_missing_token_is_said_with_its_option(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer(Refusal(status="UNAUTHENTICATED", message="words"))
    assert run(fake, "Fix it", "--tier", "t") == 3
    assert "UNAUTHENTICATED: words: give it with --token-file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["Fix it", "--address", "http://127.0.0.1:50051"], "host:port, not a URL"),
        (["Fix it", "--tier", "t", "--timeout", "0"], "more than 0"),
        (["Fix it", "--tier", "t", "--timeout", "soon"], "soon"),
        (["Fix it", "--tier", "t", "--colour"], "--colour"),
        (["Fix it", "--tier", "t", "--token-file", "/nowhere/token"], "/nowhere/token"),
        (["Fix it", "--tier", "t", "--ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
        (["Fix it", "--tier", "t", "--key", __file__], "need each other"),
    ],
)
def test_bad_usage_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert decide(argv) == 2
    assert said in capsys.readouterr().err


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert decide(["--help"]) == 0
    assert "Exit status:" in capsys.readouterr().out


def test_no_argument_is_forgotten_in_help(capsys: pytest.CaptureFixture[Any]) -> None:
    decide(["--help"])
    printed = capsys.readouterr().out
    for name in ("candidate", "static-pick", "session", "dry-run", "json", "token-file", "ca"):
        assert f"--{name}" in printed


# ---------------------------------------------------------------- what is left out


def described() -> Any:
    tiers = [
        {"name": "t/small", "policy": "balanced", "default_candidates": ["vendor/s", "vendor/t"]},
        {"name": "t/large", "policy": "capability_heavy", "default_candidates": ["vendor/a"]},
    ]
    models = [{"model": "vendor/a", "router_model": "a", "routable": True, "input_price": 5.0}]
    return describe_pb.DescribeRoutingResponse(tiers=tiers, models=models, policy_version="v1")


def test_without_flags_it_decides_and_says_what_it_assumed(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = described()
    fake.answer(routed("vendor/b"))
    assert run(fake) == 0
    printed = capsys.readouterr().out
    assert "assumed tier         t/large" in printed
    assert "assumed static pick  vendor/a" in printed
    asked = fake.calls[0].request
    assert (asked.routing.auto_model, asked.routing.resolved_model) == ("t/large", "vendor/a")
    assert asked.prompt.user_prompt_prefix in printed


def test_what_is_given_is_not_assumed(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = described()
    fake.answer(routed("vendor/t"))
    assert run(fake, "Hi", "--tier", "t/small", "--static-pick", "vendor/s") == 0
    assert "assumed" not in capsys.readouterr().out


def test_an_unknown_tier_is_answered_with_the_known_ones(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = described()
    fake.answer(not_routed("skipped", reason=Reason.UNKNOWN_TIER))
    assert run(fake, "Hi", "--tier", "wholly-other") == 2
    printed = capsys.readouterr()
    assert printed.err == (
        "pointsman decide: unknown tier 'wholly-other'; known tiers: t/small, t/large\n"
    )
    assert "because      the policy file has no such tier" in printed.out


@pytest.mark.parametrize("mistyped", ["t/smal", "small"])
def test_a_mistyped_tier_is_answered_with_the_one_that_was_meant(
    fake: FakeService, capsys: pytest.CaptureFixture[str], mistyped: str
) -> None:
    fake.description = described()
    fake.answer(not_routed("skipped", reason=Reason.UNKNOWN_TIER))
    assert run(fake, "Hi", "--tier", mistyped) == 2
    assert f"unknown tier '{mistyped}': did you mean t/small?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--teir", "t/small", "Hi"], "--teir Hi; did you mean --tier?"),
        (["Hi", "--adress=x:1", "--jsn"], "--adress=x:1 --jsn; did you mean --address --json?"),
        (["Hi", "--wholly-other"], "--wholly-other"),
        (["Hi", "there"], "there"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert decide(given) == 2
    printed = capsys.readouterr().err
    assert printed.endswith(f"pointsman decide: error: unrecognized arguments: {said}\n")


@pytest.mark.parametrize(
    "name", ["POINTSMAN_ADDRES", "POINTSMAN_ADDR", "pointsman_adress", "POINTSMAN_SERVER_ADDRESS"]
)
def test_a_mistyped_variable_of_the_address_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, "127.0.0.1:1")
    describe([])
    warning = f"pointsman describe: warning: {name} is not read: did you mean POINTSMAN_ADDRESS?\n"
    assert capsys.readouterr().err.startswith(warning)
    describe(["--address", "127.0.0.1:1"])
    monkeypatch.setenv("POINTSMAN_ADDRESS", "127.0.0.1:1")
    describe([])
    assert "is not read" not in capsys.readouterr().err


def test_variables_of_others_are_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("POINTSMAN_LISTEN", "POINTSMAN_PORT_50051_TCP_ADDR", "POINTSMAN_TOKENS_FILE"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    describe([])
    assert "is not read" not in capsys.readouterr().err


def test_assumptions_stay_out_of_json(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = described()
    fake.answer(routed("vendor/b"))
    assert run(fake, "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["serve_model"] == "vendor/b"
    assert "assumed tier" in printed.err


def test_describe_shows_what_is_in_force(
    fake: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.description = described()
    fake.description.engines.add(name="local")
    fake.description.engines.add(name="judge", state="ENGINE_STATE_NO_KEY")
    fake.description.warnings.add(path="catalog.a", message="has no scores")
    assert describe(["--address", fake.target]) == 0
    printed = capsys.readouterr().out
    for text in ("t/large", "capability_heavy", "vendor/a", "5", "local", "has no scores", "v1",
                 "no key (see warning)"):  # fmt: skip
        assert text in printed
    assert describe(["--address", fake.target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["policy_version"] == "v1"
    assert describe(["--address", "127.0.0.1:1", "--timeout", "1"]) == 1
