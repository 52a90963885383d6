"""Text at the head of a system prompt that differs between requests of one conversation.

Where the system prompt is part of a key, such text would make every request a conversation of its
own. Lines that exist for the provider alone are dropped; dates, times, counters and identifiers
are blanked. Every pattern is bounded and looks at a character a constant number of times.
"""

from __future__ import annotations

import re

HEAD_CODE_POINTS = 2_048
"""The length of the start that is searched: longer than the prefix that is sent."""

# Claude Code begins with such a line, with a version and a hash per request; proxies add their own.
_LINE = re.compile(
    r"^[ \t]*x-(?:anthropic-billing-header"
    r"|[a-z-]{1,40}-(?:nonce|hash|billing|trace|signature|request-id)[a-z-]{0,20}):[^\n]*(?:\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:[a-z]{1,6})?"
_DAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?[ ]{1,2})?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[ap]m\b)?(?: ?(?:z|utc|gmt)\b)?"
_VALUE = re.compile(
    "|".join(
        (
            rf"\b\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_CLOCK})?(?:[+-]\d{{2}}:?\d{{2}}\b)?",
            r"\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b|\b\d{4}[./]\d{1,2}[./]\d{1,2}\b",
            rf"\b{_DAY}{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b",
            rf"\b{_DAY}\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}\.?,? \d{{4}}\b",
            rf"\b{_CLOCK}",
            # UUIDs, hashes and times in seconds or finer.
            r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
            r"\b(?=[a-f]{0,15}\d)[0-9a-f]{12,128}\b",
            r"\b\d{9,24}\b",
            # Counters: "turn 12", "request #4", "tokens left: 120,000".
            (
                r"\b(?:turn|request|message|session|tokens|counter|nonce)"
                r"(?: (?:id|no|number|count|left|used|remaining))?[ .:#=]{1,4}"
                r"(?=[\w-]{0,31}\d)[\w,.-]{1,64}"
            ),
            r"\b(?:cch|nonce)=[\w-]{1,64}",
        )
    ),
    re.IGNORECASE,
)


def without_volatile(prompt: str) -> str:
    """Drop volatile lines and blank volatile values at the head of a system prompt."""
    head, tail = prompt[:HEAD_CODE_POINTS], prompt[HEAD_CODE_POINTS:]
    return _VALUE.sub(" ", _LINE.sub("", head)) + tail
