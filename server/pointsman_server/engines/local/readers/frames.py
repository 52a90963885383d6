"""Parts of a text that say nothing of its request: frames, courtesies, final marks, blanks."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = (
    "task", "request", "question", "query", "prompt", "instructions?", "problem", "input", "user",
    "my (?:task|request|question)", "your task", "aufgabe", "anfrage", "frage", "tâche", "demande",
    "tarea", "pregunta", "solicitud", "tarefa", "pergunta", "pedido", "compito",
    "domanda", "richiesta", "taak", "vraag", "zadanie", "pytanie", "задача", "запрос", "вопрос",
    "任务", "問題", "问题", "请求", "タスク", "質問", "依頼", "작업", "질문", "요청", "görev",
    "soru", "مهمة", "سؤال", "कार्य", "प्रश्न",
)  # fmt: skip
"""Headings that name a request and say nothing of it."""

_FRAMED: Final = (
    re.compile(r"<([\w-]{1,40})(?:\s[^<>]{0,100})?>((?:(?!</\1>).)*)</\1>", re.DOTALL),
    re.compile(r"(```|~~~)[\w-]{0,20}\n(.*)\n\1", re.DOTALL),
    # A mark behind a word closes a quotation inside: '"a" and "b"' is framed by nothing.
    re.compile(r"([\"'])((?:(?!\1).)*(?:(?<=\s)\1.*)?)\1", re.DOTALL),
    re.compile("([“„«\u2039「『])([^“”„«»\u2039\u203a「」『』]*)[”“»\u203a」』]"),
    re.compile(r"(\*\*)((?:(?!\*\*).)+)\*\*", re.DOTALL),
    re.compile(r"([-*>+\u2022\u2013]|\d[.)]) ([^\n]*)"),
    re.compile(rf"(#{{1,6}}) +(?:{'|'.join(_NAMES)}):?[ \t]*\r?\n(.*)", re.DOTALL | re.IGNORECASE),
)
_FIRST: Final = frozenset("<`~\"'“„«\u2039「『-*>+\u2022\u2013#0123456789")
_DEEPEST: Final = 3
"""Frames in frames that are taken off."""

_ENDS: Final = ".?!\u2026\u3002\uff0e\uff1f\uff01\u061f\u06d4\u0964 \t\r\n"
"""Marks that end a sentence (Latin, Chinese, Arabic, Urdu, Hindi), and what is between them."""

_PLEASE: Final = (
    "please", "pls", "plz", "kindly", "bitte", "por favor", "per favore", "s'il te plaît",
    "s'il te plait", "s'il vous plaît", "s'il vous plait", "alstublieft", "prosze", "proszę",
    "пожалуйста",
)  # fmt: skip
_COURTESIES: Final = (
    *_PLEASE, "thanks", "thank you", "thx", "danke", "merci", "gracias", "grazie", "obrigado",
    "obrigada", "dank je", "dzięki", "спасибо",
)  # fmt: skip
_BEFORE: Final = re.compile(
    rf"(?:(?:{'|'.join(_PLEASE)})\b[,:]?\s+|[请請][问問]?(?![求假教客示]))+(?=\S)", re.IGNORECASE
)
_BEHIND: Final = re.compile(
    rf"(?<=\w),?\s+(?:{'|'.join(_COURTESIES)})(?=[{_ENDS}]*\Z)", re.IGNORECASE
)
_LONGEST: Final = 40
"""Characters at the end of a text that are searched for courtesies."""

_BLANKS: Final = re.compile(r"[ \t]{2,}")


def bare(text: str) -> str:
    """`text` without tags, fences, quotes, bullets or empty headings around all of it."""
    for _ in range(_DEEPEST):
        if text[:1] not in _FIRST:
            return text
        framed = text
        for pattern in _FRAMED:
            match = pattern.fullmatch(text)
            if match is not None and match[2].strip():
                text = match[2].strip()
                break
        if text is framed:
            return text
    return text


def uncourteous(text: str) -> str:
    """`text` without "please" before it, and without "please" or "thanks" behind its words."""
    before = _BEFORE.match(text)
    if before is not None:
        text = text[before.end() :]
    # Few texts end like that; to search each of them costs six microseconds.
    if not text[-_LONGEST:].rstrip(_ENDS).lower().endswith(_COURTESIES):
        return text
    behind = _BEHIND.search(text, max(len(text) - _LONGEST, 0))
    return text if behind is None else text[: behind.start()] + text[behind.end() :]


def plain(text: str) -> str:
    """`text` without courtesies and marks at its ends, with one blank where there are more.

    With and without a full stop, it is the same request. A text of marks alone keeps them.
    """
    text = uncourteous(text)
    if "  " in text or "\t" in text:
        text = _BLANKS.sub(" ", text)
    return text.rstrip(_ENDS) or text
