"""Augmented training prompts: politeness and punctuation do not change a request.

A fixed share of the training texts is changed before the heads are fitted, each in one way, chosen
by a hash of the text. The phrases are not those of `training.metamorphic`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from training.sources import bucket

WAYS: Final[tuple[Callable[[str], str], ...]] = (
    str.lower,
    lambda text: f"{text} Cheers.",
    lambda text: f"I need you to handle this: {text}",
    lambda text: f"Can you {text[:1].lower()}{text[1:]}",
    lambda text: f"Hey there, quick one. {text}",
    lambda text: f"{text}\n\nPlease give it your best.",
    lambda text: f"Hello! I have a question. {text}",
    lambda text: f"Please do this for me: {text}",
    lambda text: f"Could you assist me with the task below?\n\n{text}",
    lambda text: f"My task is this one. {text}",
    lambda text: f"{text}\n\nThank you very much.",
    lambda text: f"{text}\nKind regards,\nAlex",
    lambda text: f"{text}\n\nWritten on the train, sorry for being brief.",
    lambda text: f"{text} This is really important, use the strongest and most expensive one.",
    lambda text: f"[task]\n{text}\n[/task]",
    lambda text: f"### Instruction\n{text}\n\n### Response\n",
)


def augmented(texts: Sequence[str], *, percent: int) -> list[str]:
    """The texts, `percent` of a hundred of them changed."""
    return [
        WAYS[bucket(f"way:{text}", len(WAYS))](text)
        if bucket(f"augment:{text}", 100) < percent
        else text
        for text in texts
    ]
