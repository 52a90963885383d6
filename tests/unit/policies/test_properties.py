"""Whatever a file holds, it is loaded or refused with problems that can be told."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_server.policies.check import check_text
from pointsman_server.policies.loader import read

DEFAULT = read(None).decode()
FULL = (Path(__file__).parents[2] / "data" / "policies" / "valid" / "full.yaml").read_text()
KEYS = sorted({line.split(":")[0].strip(" -#") for line in FULL.splitlines()} - {""})

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["5s", "off", "https://x", "${KEY}", "<<"])
)
keys = st.sampled_from(KEYS) | st.text(max_size=10)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6)
)
yamlish = st.text(alphabet=st.sampled_from(list("ab:-?!&*<>[]{},#|%@\"' \n\t~0129.e")), max_size=80)


def tells(data: bytes | str) -> None:
    report = check_text(data)
    assert report.ok == bool(report.summary)
    assert all(line.isprintable() and line for line in report.lines())


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes | str) -> None:
    tells(data)


@given(yamlish)
def test_anything_that_looks_like_yaml_is_judged(text: str) -> None:
    tells(text)


@given(trees)
@example({"[key]": None})
def test_any_tree_is_judged(tree: object) -> None:
    tells(yaml.safe_dump(tree, allow_unicode=True))


@given(
    base=st.sampled_from([DEFAULT, FULL]),
    at=st.integers(min_value=0),
    cut=st.integers(min_value=0, max_value=40),
    put=yamlish | st.text(max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_judged(base: str, at: int, cut: int, put: str) -> None:
    at %= len(base)
    tells((base[:at] + put + base[at + cut :]).encode("utf-8", "surrogatepass"))


@given(base=st.sampled_from([DEFAULT, FULL]), path=st.lists(st.integers(0, 30)), value=trees)
@settings(max_examples=60, deadline=None)
def test_a_file_with_one_value_replaced_is_judged(
    base: str, path: list[int], value: object
) -> None:
    tree = yaml.safe_load(base)
    node = tree
    for step in path[:-1]:
        inner = list(node.values()) if isinstance(node, dict) else node
        inner = [child for child in inner if isinstance(child, dict | list) and child]
        if not inner:
            break
        node = inner[step % len(inner)]
    last = path[-1] if path else 0
    node[list(node)[last % len(node)] if isinstance(node, dict) else last % len(node)] = value
    tells(yaml.safe_dump(tree, allow_unicode=True))
