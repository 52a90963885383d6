from __future__ import annotations

import pytest
from pointsman_server.core.errors import LinesInvalid
from pointsman_server.engines.local.tuning import parse


def test_lines_are_read_with_either_label() -> None:
    first, second = parse(
        [
            b'\xef\xbb\xbf{"id": 7, "prompt": "one", "effort": 4, "domain": "coding"}\n',
            "\n",
            '{"prompt": "two", "difficulty": "easy"}',
        ]
    )
    assert (first.effort, first.difficulty, first.domain) == (4, "hard", "coding")
    assert (second.effort, second.difficulty, second.domain) == (None, "easy", None)


def test_an_effort_may_be_written_as_the_export_of_a_table_writes_it() -> None:
    [found] = parse(['{"prompt": "one", "effort": 3.0, "difficulty": null, "domain": null}'])
    assert (found.effort, found.difficulty) == (3, "medium")
    assert isinstance(found.effort, int)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        ("[]", "not an object"),
        ('{"effort": 1}', "prompt: not a text"),
        ('{"prompt": "  ", "effort": 1}', "prompt: not a text"),
        ('{"prompt": "x"}', "effort: missing, and so is difficulty"),
        ('{"prompt": "x", "effort": 0}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "effort": true}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "effort": 1e999}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "effort": []}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "effort": "3"}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "effort": 2.5}', "effort: not a whole number from 1 to 5"),
        ('{"prompt": "x", "difficulty": "huge"}', "difficulty: not one of easy, medium, hard"),
        ('{"prompt": "x", "difficulty": []}', "difficulty: not one of easy, medium, hard"),
        ('{"prompt": "x", "effort": 1, "difficulty": "hard"}', "difficulty: effort 1 is easy"),
        (
            '{"prompt": "x", "effort": 1, "domain": "art"}',
            "domain: not one of general, summary, coding, design, data",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_field_and_quotes_nothing(
    line: str | bytes, problem: str
) -> None:
    with pytest.raises(LinesInvalid) as caught:
        parse(['{"prompt": "fine", "effort": 1}', line])
    assert caught.value.problems == (f"line 2: {problem}",)


def test_many_bad_lines_are_counted() -> None:
    with pytest.raises(LinesInvalid) as caught:
        parse(["{"] * 50)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 30 more lines"
