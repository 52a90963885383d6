"""What says nothing of a request: frames, "please", marks at its end, further blanks."""

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
    re.compile(r"<([\w-]{1,40})>((?:(?!</\1>).)*)</\1>", re.DOTALL),
    re.compile(r"(```)[\w-]{0,20}\n(.*)\n```", re.DOTALL),
    # A mark behind a word closes a quotation inside: '"a" and "b"' is framed by nothing.
    re.compile(r"([\"'])((?:(?!\1).)*(?:(?<=\s)\1.*)?)\1", re.DOTALL),
    re.compile(r"([-*>]) ([^\n]*)"),
    re.compile(rf"(#{{1,6}}) +(?:{'|'.join(_NAMES)}):?[ \t]*\r?\n(.*)", re.DOTALL | re.IGNORECASE),
)
_FIRST: Final = frozenset("<`\"'-*>#")

_ENDS: Final = ".?!\u2026\u3002\uff0e\uff1f\uff01\u061f\u06d4\u0964 \t\r\n"
"""Marks that end a sentence (Latin, Chinese, Arabic, Urdu, Hindi), and what is between them."""

_COURTESY: Final = re.compile(
    r"(?:please|pls|plz|kindly|bitte|por favor|per favore|s'il (?:te|vous) pla[iî]t|alstublieft"
    r"|prosz[eę]|пожалуйста)\b[,:]?\s+(?=\S)",
    re.IGNORECASE,
)
"""The word for "please" at the start of a request."""

_BLANKS: Final = re.compile(r"[ \t]{2,}")


def bare(text: str) -> str:
    """`text` without one tag, fence, pair of quotes, bullet or empty heading around all of it."""
    if text[:1] not in _FIRST:
        return text
    for pattern in _FRAMED:
        match = pattern.fullmatch(text)
        if match is not None and match[2].strip():
            return match[2].strip()
    return text


def plain(text: str) -> str:
    """`text` with one blank where there are more, without "please" before and marks behind it.

    With and without a full stop, it is the same request. A text of marks alone keeps them.
    """
    courtesy = _COURTESY.match(text)
    if courtesy is not None:
        text = text[courtesy.end() :]
    if "  " in text or "\t" in text:
        text = _BLANKS.sub(" ", text)
    return text.rstrip(_ENDS) or text
