from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.policies import yaml_tree
from pointsman_server.policies.yaml_tree import MAX_BYTES, read_yaml


def value_of(text: str) -> Any:
    tree = read_yaml(text.encode())
    assert not tree.faults
    return tree.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("2026-11-22", "2026-11-22"),
        ("12:30:00", "12:30:00"),
        ("010", 10),
        ("0x10", "0x10"),
        ("true", True),
        ("~", None),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("'7'", "7"),
        ("!!str 7", "7"),
        (".inf", ".inf"),
        ("1" * 40, float("1" * 40)),
    ],
)
def test_scalars_are_read_by_the_core_schema(text: str, value: object) -> None:
    read = value_of(text)

    assert read == value
    assert type(read) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert value_of("{1: a, true: b, off: c}") == {"1": "a", "true": "b", "off": "c"}


def test_own_entries_win_over_merged_ones_and_earlier_over_later() -> None:
    text = "x: &x {a: 1, b: 1, c: 1}\ny: &y {b: 2, c: 2, d: 2}\nz: {a: 0, <<: [*x, *y]}\n"

    assert value_of(text)["z"] == {"a": 0, "b": 1, "c": 1, "d": 2}


def test_lines_are_those_of_keys_and_items() -> None:
    tree = read_yaml(b"\na:\n  b: 1\n  c:\n    - x\n    - y\n")

    assert tree.lines[("a",)] == 2
    assert tree.lines[("a", "b")] == 3
    assert tree.lines[("a", "c", 1)] == 6


def test_two_duplicates_are_both_told() -> None:
    tree = read_yaml(b"a: 1\na: 2\nb: 1\nb: 2\n")

    assert [fault.path for fault in tree.faults] == [("a",), ("b",)]
    assert tree.value == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"#" * (MAX_BYTES + 1), "is larger than 1,048,576 bytes"),
        (b"a: \xff\n", "is not UTF-8 text (byte 3)"),
        (b"a: \x07\n", "is not YAML: a character that YAML does not allow"),
        (b"[" * 10_000, "is not YAML: nested deeper than 32 (line 1, column 32)"),
    ],
)
def test_a_text_that_is_no_document_is_refused_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        read_yaml(data)

    assert [(p.path, p.message) for p in caught.value.problems] == [("", sentence)]


def test_more_values_than_the_bound_are_not_even_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "MAX_VALUES", 500)
    with pytest.raises(PolicyInvalid) as caught:
        read_yaml(b"[" + b"1," * 2_000 + b"]")

    sentence = "is not YAML: more than 500 values (line 1, column 1)"
    assert [(p.path, p.message) for p in caught.value.problems] == [("", sentence)]


def thousands(last: int) -> bytes:
    """A list of fifty lists: 49 of a thousand values each, and one of `last` values.

    Aliases of one list count as often as they stand there, and cost no reading.
    """
    anchor = b"- &list [" + b"1," * 999 + b"]\n"
    return anchor + b"- *list\n" * 48 + b"- [" + b"1," * (last - 1) + b"]\n"


def test_fifty_thousand_values_are_read_and_one_more_is_refused() -> None:
    # The list of lists is a value too.
    assert len(read_yaml(thousands(999)).value) == 50
    with pytest.raises(PolicyInvalid) as caught:
        read_yaml(thousands(1_000))

    sentence = "holds more than 50,000 values, those behind aliases included"
    assert [(p.path, p.message) for p in caught.value.problems] == [("", sentence)]


def test_the_largest_file_is_still_read() -> None:
    data = b"a: 1\n"

    assert read_yaml(data + b"#" * (MAX_BYTES - len(data))).value == {"a": 1}
