"""What `docs/conversations.md` says of a turn, written a second time."""

from __future__ import annotations

from dataclasses import dataclass, field

OPUS, SONNET = "anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6"
GPT, GEMINI = "openai/gpt-5.5", "google/gemini-3.1-pro-preview"
CANDIDATES = (OPUS, SONNET, GPT, GEMINI)
STATIC = OPUS
PRICES = {OPUS: (5, 25), SONNET: (3, 15), GPT: (5, 30), GEMINI: (2, 12)}
"""Of input and output, as in the built-in policy file."""
MOST_CAPABLE_FIRST = (OPUS, GPT, GEMINI, SONNET)
BANDS = ("easy", "medium", "hard")
HARD = BANDS.index("hard")
SURE = 0.6
TURNS, ANSWER, MARGIN = 4, 500, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An engine's."""

    model: str
    difficulty: str
    confidence: float

    @property
    def band(self) -> int:
        return BANDS.index(self.difficulty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    words: str
    holds_task: bool
    answer: Answer
    tokens: int
    """Of context, as the client estimates it."""
    reset: bool
    bound: bool
    third_party: bool
    """Whether a third party's engine may read it."""


@dataclass(slots=True)
class Oracle:
    """One conversation."""

    shadow: bool
    routed: str | None = None
    served: str | None = None
    band: int = 0
    compared: bool = False
    known: dict[str, tuple[Answer | None, str]] = field(default_factory=dict)
    """By words: the engine's answer, `None` where it was not called, and the model then."""

    def turn(self, turn: Turn) -> tuple[int, str | None]:
        """The engine calls, and the model that is decided for; `None`: the static pick serves."""
        candidates = CANDIDATES
        if turn.bound:
            provider = (self.served or STATIC).partition("/")[0]
            candidates = tuple(c for c in CANDIDATES if c.startswith(f"{provider}/"))
        calls = self._decide(turn, candidates) if turn.holds_task else 0
        decided = self.routed if self.routed in candidates else None
        self.served = STATIC if self.shadow or decided is None else decided
        return calls, decided

    def _decide(self, turn: Turn, candidates: tuple[str, ...]) -> int:
        incumbent = self.routed if self.routed in candidates else None
        words = " ".join(turn.words.split())
        cached, model = self.known.get(words, (None, ""))
        if model and model == incumbent and not turn.reset:
            self.compared = self.compared or self.band == HARD
            return 0
        cached = cached if model in candidates else None
        if cached is None and len(candidates) == 1:
            return 0
        if incumbent and cached is None and self._nothing_moves(turn, incumbent, candidates):
            self.known[words] = None, incumbent
            return 0
        answer = cached or turn.answer
        self._weigh(turn, answer, incumbent, candidates)
        assert self.routed is not None
        self.known[words] = answer, self.routed
        return 0 if cached else 1

    def _nothing_moves(self, turn: Turn, incumbent: str, candidates: tuple[str, ...]) -> bool:
        is_settled = self.band == HARD and self.compared and not turn.reset
        others = [c for c in candidates if c != incumbent]
        saves = any(_saves(incumbent, other, turn.tokens) for other in others)
        return turn.third_party and is_settled and not saves

    def _weigh(
        self, turn: Turn, answer: Answer, incumbent: str | None, candidates: tuple[str, ...]
    ) -> None:
        if incumbent is None:
            self.routed, self.band, self.compared = answer.model, answer.band, False
            return
        self.compared = True
        if answer.confidence < SURE or answer.model not in candidates:
            return
        if answer.model == incumbent:
            self.band = max(self.band, answer.band)
            return
        upgrades = answer.band > self.band and _more_capable(answer.model, incumbent)
        if upgrades or turn.reset or _saves(incumbent, answer.model, turn.tokens):
            self.routed, self.band = answer.model, answer.band


def _more_capable(model: str, than: str) -> bool:
    return MOST_CAPABLE_FIRST.index(model) < MOST_CAPABLE_FIRST.index(than)


def _saves(incumbent: str, fresh: str, tokens: int) -> bool:
    (read, written), (fresh_read, fresh_written) = PRICES[incumbent], PRICES[fresh]
    stay = TURNS * (tokens * read / 10 + ANSWER * written)
    later = (TURNS - 1) * tokens * fresh_read / 10
    switch = tokens * fresh_read + later + TURNS * ANSWER * fresh_written
    return switch < stay * (1 - MARGIN)
