"""Bare pastes of logs, traces, test runs and shells, with and without their line breaks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_LINES: Final = 3
"""Lines that a paste has at least."""
_BEGINNING: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|\[?(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\]?\b"
    r"|Traceback \(most recent call last\):|File \"|at [\w.$<>]+\(|Caused by:|\.{3} \d+ more"
    r"|[\w.]*(Error|Exception)\b"
    r"|(PASS|FAIL|FAILED|PASSED|ok|not ok|✓|✗|✔|=+|-{3,}|\+{3}|@@|diff --git|index [0-9a-f]{7,})"
    r"|[$#>%] ?\S|\w+@[\w-]+[:~]|npm (ERR!|WARN|error)|error(\[\w+\])?:|warning(\[\w+\])?:"
    r"|[-dlrwx]{10} |total \d+$|[0-9a-f]{7,40} |(\d{1,3}\.){3}\d{1,3}|\S+:\d+(:\d+)?(:|\s|$)"
    r"|\{\"(level|ts|time|timestamp|severity|msg)\":"
    r"|panic: |goroutine \d+|main\.\w+\(|exit (status|code) |--> \S|\d* ?\|"
    r"|On branch |Your branch |Changes (not staged|to be committed)|Untracked files:"
    r"|(modified|deleted|renamed|new file): |\(use \"git |no changes added"
    r"|(Tests|Test Suites|Snapshots|Time): +\d|Ran \d+ tests?\b"
    r"|\d+ (passed|failed|passing|failing|skipped|errors?|warnings?)\b"
)
"""How lines of logs, traces, test runs and shells begin."""

_RECORD: Final = re.compile(
    r"(?<!\S)(?:"
    r"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d|[A-Z][a-z]{2} \d{1,2} \d\d:\d\d:\d\d|\[\d\d:\d\d:\d\d"
    r"|\[(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\]"
    r"|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)(?::| +[\w./-]{1,60}:)"
    r"|Traceback \(most|File \"|at [\w.$<>]{1,80}\(|Caused by:|[\w.]{0,80}(?:Error|Exception):"
    r"|(?:PASS|FAIL|FAILED|PASSED) [\w./-]|npm (?:ERR!|WARN|error)|(?:error|warning)(?:\[\w+\])?: "
    r"|-->|panic: |goroutine \d|main\.\w{1,40}\(|exit (?:status|code) \d"
    r"|\{\"(?:level|ts|time|timestamp|severity|msg)\":"
    r"|On branch |Your branch |Changes (?:not staged|to be committed)|Untracked files:"
    r"|(?:modified|deleted|renamed|new file): |Tests: +\d|=+ \d+ (?:passed|failed))"
)
"""How records begin where line breaks are lost: only what prose does not have."""
_SHORT_RECORD: Final = 5
_MORE_WORDS: Final = 3
"""Words by which the last record may be longer than the longest other one, or than a short one."""
_TAIL: Final = 8
"""Words at the end among which a wish is looked for."""
_CLOSED: Final = re.compile(
    r"at [\w.$<>]+\([^()]*\)|exit (?:status|code) \d+|goroutine \d+|main\.\w+\("
    r"|(?:PASS|FAIL|FAILED|PASSED) \S+|\{.*\}|Tests: .*\d (?:total|s|ms)\b|=+ .* =+"
    r"|(?:modified|deleted|renamed|new file): +\S+(?: -> \S+)?"
    r"|error: aborting due to (?:\d+ )?previous errors?"
)
"""Records that end by themselves: a word behind one is the user's."""
_MESSAGE: Final = re.compile(
    r"\b(?:division by zero|math domain error|(?:list|string|tuple|array) index out of range"
    r"|(?:dictionary|Set) changed size during iteration|maximum recursion depth exceeded"
    r"|connection (?:refused|timed out|reset by peer)|could not connect to server|broken pipe"
    r"|no such file or directory|permission denied|address already in use|command not found"
    r"|(?:context )?deadline exceeded|no space left on device|too many open files|out of memory"
    r"|(?:invalid|unexpected) (?:syntax|indent|token|end of \w+|EOF)|segmentation fault)\b",
    re.IGNORECASE,
)
"""Programs' best known messages: records that end with one end by themselves, too."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*[,;]?")
_LEVELS: Final = frozenset(("TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"))
_RUN: Final = 3
"""Words in a row that any message may have."""
_LAST_RUN: Final = 2
"""Words in a row that any message may end with."""
_SENTENCE_ENDS: Final = (".", "?", "!", "\u3002", "\uff1f", "\uff01", "\u061f", "\u0964")


def is_paste(prompt: str, *, wishes: frozenset[str]) -> bool:
    """Whether every line, or every record of one line, is one of a program's output.

    Clients send prompts on one line. `wishes` are words that a user puts behind a paste.
    """
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    if len(lines) == 1:
        return _is_record_after_record(lines[0], wishes)
    if len(lines) < _LINES:
        return False
    marked = [_BEGINNING.match(line) is not None for line in lines]
    # A wish stands in front of a paste or behind it.
    return marked[0] and marked[-1] and sum(marked) * 10 >= len(lines) * 6


def _is_record_after_record(line: str, wishes: frozenset[str]) -> bool:
    """Whether one line is a paste without its line breaks. In doubt it is not."""
    if line.endswith(_SENTENCE_ENDS) or not _BEGINNING.match(line):
        return False
    starts = [match.start() for match in _RECORD.finditer(line)]
    if len(starts) < _LINES:
        return False
    bounds = [0, *(at for at in starts if at), len(line)]
    records = [line[a:b] for a, b in pairwise(bounds)]
    words = [len(record.split()) for record in records]
    if words[-1] > max(_SHORT_RECORD, *words[:-1]) + _MORE_WORDS:
        return False
    if not _ends_as_a_record(records[-1], others=records[:-1]):
        return False
    rest, tail = line[: starts[-1]], line[starts[-1] :].split()[-_TAIL:]
    if rest.isascii() and not "".join(tail).isascii():
        return False
    return wishes.isdisjoint(word.strip(",:;'\"").casefold() for word in tail)


def _ends_as_a_record(last: str, *, others: list[str]) -> bool:
    """Whether the last record ends as it does by itself, or in no more words than the others.

    A task stands behind it else, in whatever language.
    """
    closed = _CLOSED.match(last) or _MESSAGE.search(last)
    if closed is not None:
        return not any(_runs(last[closed.end() :]))
    runs, known = _runs(last), [_runs(other) for other in others]
    longest = max(max(each) for each in known)
    at_end = max(each[-1] for each in known)
    return max(runs) <= max(_RUN, longest + 1) and runs[-1] <= max(_LAST_RUN, at_end)


def _runs(text: str) -> list[int]:
    """The numbers of plain words in a row; the last one is of those at the text's end."""
    runs = [0]
    for token in text.split():
        if _WORD.fullmatch(token) and token not in _LEVELS:
            runs[-1] += 1
        else:
            runs.append(0)
    return runs
