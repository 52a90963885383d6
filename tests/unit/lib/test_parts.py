"""The small parts of `lib`: addresses, bounded maps, circuit breakers, frames of errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.lib.circuit_breaker import Circuit, CircuitBreaker
from pointsman_server.lib.host_port import parse_host_port
from pointsman_server.lib.safe_traceback import frames_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65_535)),
        ("::1:80", ("::1", 80)),
        ("example.com:00080", ("example.com", 80)),
    ],
)
def test_an_address_is_split(text, parts):
    assert parse_host_port(text) == parts


@pytest.mark.parametrize(
    "text", ["", ":", "80", ":80", "host", "host:", "host:x", "host:-1", "host:65536", "host:٨٠",
             "host:" + "9" * 5_000]
)  # fmt: skip
def test_another_text_is_no_address(text):
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_host_port(text)


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_a_bounded_map_has_the_latest_keys_and_never_more_than_its_bound(keys, most):
    found = BoundedMap(most)
    for number, key in enumerate(keys):
        assert found.remember(key, number) == number
        assert found[key] == number
        assert len(found) <= most
    assert len(found) == min(len(set(keys)), most)


def test_the_oldest_entry_makes_room():
    found = BoundedMap(2)
    for key in "abac":
        found.remember(key, key)
    assert list(found) == ["b", "c"]


class Now:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def circuit(now):
    return CircuitBreaker(failures=2, pause=10.0, now=now)


def test_consecutive_failures_open_it(circuit):
    assert [circuit.failed(), circuit.succeeded(), circuit.failed()] == [False] * 3
    assert circuit.state is Circuit.CLOSED
    assert circuit.failed()
    assert circuit.state is Circuit.OPEN


def test_it_is_half_open_after_the_pause_and_late_failures_do_not_prolong_it(circuit, now):
    circuit.open()
    now.time += 9.0
    assert not circuit.failed()
    assert circuit.state is Circuit.OPEN
    now.time += 1.0
    assert circuit.state is Circuit.HALF_OPEN


def test_a_success_closes_it_and_says_so_once(circuit):
    circuit.open()
    assert [circuit.succeeded(), circuit.succeeded()] == [True, False]
    assert (circuit.state, circuit.consecutive_failures) == (Circuit.CLOSED, 0)


def test_the_frames_of_an_error_are_without_its_text():
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("canary-text")
    frames = frames_of(caught.value)
    assert "test_parts.py" in frames
    assert "invalid literal" not in frames
