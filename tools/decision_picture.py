"""Draw two decisions of the built-in policy file and the embedded engine, as an SVG picture.

Not compared by `reference.py --check`: a figure may round differently on another processor. The
hidden block of docs/index.md holds the models and the difficulties.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from html import escape

from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.policy_tests import policy_under_test
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.encode import to_response

TIER, STATIC_PICK = "kilo-auto/frontier", "anthropic/claude-opus-4.8"
PROMPTS = (
    "What is the capital of Portugal?",
    "Design a consensus protocol and prove that it is safe under partitions.",
)
WIDTH, HEIGHT, COLUMN, SHOWN = 860, 330, 400, 44
TITLE = f"Two decisions for {TIER}: an easy prompt gets a cheap model, a hard one the strongest"
_HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" \
font-family="sans-serif" font-size="12">
<title>{TITLE}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="#57606a"/></marker></defs>
"""


def picture() -> str:
    """The picture, as SVG."""
    answers = asyncio.run(_answers())
    parts = [
        part
        for at, (prompt, answer) in enumerate(zip(PROMPTS, answers, strict=True))
        for part in _column(15 + at * (WIDTH // 2), prompt, answer)
    ]
    return _HEAD + "\n".join(parts) + "\n</svg>\n"


async def _answers() -> list[pb.RouteDecisionResponse]:
    async with policy_under_test(None) as runtime:
        decider = runtime.service().decider
        return [to_response(await decider.decide(to_request(_request(p)))) for p in PROMPTS]


def _request(prompt: str) -> pb.RouteDecisionRequest:
    return pb.RouteDecisionRequest(
        dry_run=True,
        prompt=pb.Prompt(user_prompt_prefix=prompt),
        caller=pb.Caller(user_id="picture"),
        routing=pb.RoutingContext(auto_model=TIER, resolved_model=STATIC_PICK),
    )


def _column(x: int, prompt: str, answer: pb.RouteDecisionResponse) -> Iterator[str]:
    decision = answer.decision
    short = prompt if len(prompt) <= SHOWN else f"{prompt[:SHOWN].rpartition(' ')[0]} …"
    middle = x + COLUMN // 2
    yield _box(x, 12, 50, "#f6f8fa")
    yield _text(x + 12, 33, f"“{short}”", "bold")
    yield _text(x + 12, 51, f"tier {TIER} · static pick {STATIC_PICK}", small=True)
    yield _arrow(middle, 62)
    yield _box(x, 82, 30, "#ddf4ff")
    yield _text(x + 12, 101, f"effort {decision.effort:.1f} of 5 · {decision.difficulty}")
    yield _arrow(middle, 112)
    yield _box(x, 132, 112, "#f6f8fa")
    for row, each in enumerate(decision.ranking):
        yield from _candidate(x, 146 + row * 24, each, decided=each.model == decision.model)
    yield _arrow(middle, 244)
    yield _box(x, 264, 52, "#dafbe1")
    yield _text(x + 12, 285, f"decided: {decision.model}", "bold")
    yield _text(x + 12, 304, "served in mode serve, recorded in mode shadow", small=True)


def _candidate(x: int, y: int, each: pb.RankedCandidate, *, decided: bool) -> Iterator[str]:
    yield _text(x + 12, y + 10, each.model, "bold" if decided else "normal", small=True)
    width, fill = round(each.score * 94), "#1f883d" if decided else "#8c959f"
    yield f'<rect x="{x + 215}" y="{y}" width="{width}" height="13" rx="2" fill="{fill}"/>'
    yield _text(x + 322, y + 10, f"{each.score:.2f} · ${each.estimated_cost:.3f}", small=True)


def _box(x: int, y: int, height: int, fill: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{COLUMN}" height="{height}" rx="6" fill="{fill}"'
        ' stroke="#57606a"/>'
    )


def _text(x: int, y: int, text: str, weight: str = "normal", *, small: bool = False) -> str:
    size, fill = 11 if small else 12, "#57606a" if small and weight == "normal" else "#1f2328"
    return (
        f'<text x="{x}" y="{y}" fill="{fill}" font-weight="{weight}" font-size="{size}">'
        f"{escape(text)}</text>"
    )


def _arrow(x: int, y: int) -> str:
    line = f'<line x1="{x}" y1="{y}" x2="{x}" y2="{y + 18}" stroke="#57606a"'
    return f'{line} marker-end="url(#tip)"/>'
