from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.policies import version
from pointsman_server.policies.schema import parse

FULL = (Path(__file__).parents[2] / "data" / "policies" / "valid" / "full.yaml").read_text()


def digest(text: str) -> bytes:
    return parse(text.encode()).policy_file.rules_digest


def changed(old: str, new: str) -> str:
    assert FULL.count(old) == 1, old
    return FULL.replace(old, new)


def test_the_version_is_the_start_of_the_content_s_sha256() -> None:
    version = parse(FULL.encode()).policy_file.version

    assert version == hashlib.sha256(FULL.encode()).hexdigest()[:16]


def test_the_version_tells_even_comments_apart() -> None:
    assert parse((FULL + "# more\n").encode()).policy_file.version != (
        parse(FULL.encode()).policy_file.version
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mode: off", "mode: serve"),
        ("serve_percent: 12.5", "serve_percent: 50"),
        ("data_policy: third_party_denied", "data_policy: third_party_allowed"),
        ("organizations: allowed", "organizations: local_only"),
        ("ttl: 2h\n", "ttl: 3h\n"),
        ("max_entries: 1000", "max_entries: 999"),
        ("morph_router_enabled: true", "morph_router_enabled: false"),
        ("budget: 20ms", "budget: 30ms"),
        ("file_backups: 2", "file_backups: 3"),
        ("timeout: 750ms", "timeout: 1s"),
        ("failures: 3", "failures: 4"),
        ("input_price: 5\n", "input_price: 5.0 # dollars\n"),
        ("[image, file, audio, video]", "[video, audio, file, image]"),
        ("key_file: /run/secrets/morph", "key_file: /run/secrets/other"),
    ],
)
def test_what_changes_no_decision_leaves_the_digest(old: str, new: str) -> None:
    assert digest(changed(old, new)) == digest(FULL)


def test_the_order_of_entries_leaves_the_digest() -> None:
    entry = "  acme/next: {router_id: acme-next, experimental: true}\n"
    moved = changed(entry, "").replace("catalog:\n", f"catalog:\n{entry}")

    assert digest(moved) == digest(FULL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("policy: capability_heavy", "policy: balanced"),
        ("stickiness: exact", "stickiness: conversation"),
        ("stickiness: conversation", "stickiness: exact"),
        ("candidates: [acme/small, acme/large]", "candidates: [acme/large, acme/small]"),
        ("kilo/auto:", "kilo/other:"),
        ("router_id: acme-large", "router_id: acme-larger"),
        ("input_price: 5\n", "input_price: 6\n"),
        ("output_price: 25.5", "output_price: 25"),
        ("context_window: 200000", "context_window: 100000"),
        ("inputs: []", "inputs: null"),
        ("tools: true", "tools: false"),
        ("overall: 0.9", "overall: 0.8"),
        ("math: 0.8", "math: 0.7"),
        ("capability: 0.4", "capability: 0.5"),
        ("size: frontier", "size: large"),
        (", experimental: true", ""),
        ("order: [local, morph]", "order: [morph, local]"),
        ("127.0.0.1:8080", "127.0.0.1:8081"),
        ("balanced: 0.07", "balanced: 0.08"),
        ("needs_info_threshold: 0.8", "needs_info_threshold: 0.9"),
        ("reader: auto", "reader: semantic"),
        ("artefact: /etc/pointsman/reader.bin", "artefact: /etc/pointsman/other.bin"),
    ],
)
def test_what_changes_decisions_changes_the_digest(old: str, new: str) -> None:
    assert digest(changed(old, new)) != digest(FULL)


MODEL = {
    "url": '"https://jev.test"',
    "format": "systemone",
    "model": "one",
    "timeout": "1s",
    "price_per_call": "0.1",
    "average_orders": "false",
    "questions": "{}",
}


def with_model(**changes: str) -> str:
    minimal = (
        Path(__file__).parents[2] / "data" / "policies" / "valid" / "minimal.yaml"
    ).read_text()
    section = ", ".join(f"{name}: {value}" for name, value in (MODEL | changes).items())
    return f"{minimal}engines: {{order: [jev, local], decision_models: {{jev: {{{section}}}}}}}\n"


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"url": '"https://other.test"'}, True),
        ({"format": "decisions"}, True),
        ({"model": "two"}, True),
        ({"average_orders": "true"}, True),
        ({"questions": "{turn: {when_no: there is work to do}}"}, True),
        ({"timeout": "2s"}, False),
        ({"price_per_call": "0.2"}, False),
    ],
    ids=str,
)
def test_of_a_decision_model_that_counts_which_changes_decisions(
    changes: dict[str, str], differs: bool
) -> None:
    assert (digest(with_model(**changes)) != digest(with_model())) is differs


def test_the_digest_encodes_one_model_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, texts = json.dumps, []

    def noted(value: Any, **options: Any) -> str:
        texts.append(encode(value, **options))
        return texts[-1]

    models = "".join(f"  acme/m{n}: {{router_id: m-{n}}}\n" for n in range(500))
    large = changed("catalog:\n", f"catalog:\n{models}")
    monkeypatch.setattr(version.json, "dumps", noted)
    digest(FULL)
    longest, count = max(map(len, texts)), len(texts)
    texts.clear()
    digest(large)

    assert max(map(len, texts)) == longest
    assert len(texts) == count + 2 * 500
