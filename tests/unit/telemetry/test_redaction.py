import pytest
from pointsman_server.telemetry.service_log.redaction import Redaction

LINES = [
    ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
    ("sent authorization=Basic dXNlcjpwYXNz to it", "sent authorization=Basic [redacted] to it"),
    ("cache redis://me:pw@host:6379/0 down", "cache redis://[redacted]@host:6379/0 down"),
    ("cache redis://:pw@host down", "cache redis://[redacted]@host down"),
    ("api_key=abc123", "api_key=[redacted]"),
    ('{"password": "abc", "user": 1}', '{"password": "[redacted]", "user": 1}'),
    ("MORPH_API_KEY: sk-live", "MORPH_API_KEY: [redacted]"),
    ("token=a b", "token=[redacted] b"),
    ("Set-Cookie: id=1; path=/", "Set-Cookie: [redacted]; path=/"),
]


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_what_looks_like_a_credential_is_taken_out(text: str, expected: str) -> None:
    assert Redaction()(text) == expected


HARMLESS = [
    "policy file: tiers.kilo-auto/small.policy: no such policy",
    "serving on http://127.0.0.1:50051/path?x=y@z",
    "12 tokens were read",
    "tokens required",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert Redaction()(text) == text


def test_secrets_that_it_is_told_of_are_taken_out_wherever_they_stand() -> None:
    secrets = ["first-key"]
    redaction = Redaction(lambda: secrets)

    assert redaction("xfirst-keyx second-key") == "x[redacted]x second-key"
    secrets.append("second-key")
    assert redaction("xfirst-keyx second-key") == "x[redacted]x [redacted]"


def test_a_secret_too_short_to_tell_from_words_is_not_searched_for() -> None:
    assert Redaction(lambda: ["a", ""])("a cat") == "a cat"
