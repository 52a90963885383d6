import pytest
from pointsman_server.core.decision_record import DEFAULT_RATE, effective_rate

RATES = [
    (None, 0.01),
    ("", 0.01),
    ("   ", 0.01),
    ("0.5", 0.5),
    (" 0.5\n", 0.5),
    ("0", 0.0),
    ("1", 1.0),
    ("1.0", 1.0),
    ("1e-3", 0.001),
    ("1.5", 0.01),
    ("-0.1", 0.01),
    ("abc", 0.01),
    ("0,5", 0.01),
    ("50%", 0.01),
    ("nan", 0.01),
    ("inf", 0.01),
    ("-inf", 0.01),
]


@pytest.mark.parametrize(("raw", "rate"), RATES)
def test_a_rate_is_a_share_or_the_default(raw: str | None, rate: float) -> None:
    assert effective_rate(raw) == rate


def test_the_default_is_one_in_a_hundred() -> None:
    assert DEFAULT_RATE == 0.01
