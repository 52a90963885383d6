"""Conversations of agents from a seed, in the languages of users."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from support.agent_talk.bodies import AGENTS, Chat, ClaudeCode, Codex, Said
from support.agent_talk.oracle import CANDIDATES, GEMINI, GPT, OPUS, SONNET, Answer, Oracle, Turn

TASKS = (
    "Rename `foo` to `userCount` in utils.py.", "now sort b.py", "Fix b.py please, now.",
    "Redesign the queue to be lock-free and prove that it is linearizable.", "整理 b.py",
    "Schreibe einen Parser für TOML mit Tests.", "Sortiere die Imports in src/app.py.",
    "Écris une fonction qui calcule le PGCD de deux entiers.", "Port the cache to Redis.",
    "Añade un docstring a parse() en lexer.py.", "Diseña un caché distribuido con invalidación.",
    "Напиши тесты для модуля авторизации.", "Переименуй класс Queue в Ring.",
    "写一个快速排序并加上单元测试", "キャッシュをスレッドセーフにしてください",
    "로그인 버그를 고쳐 주세요: 세션이 만료됩니다", '{"task": "sort imports"}',
    "Escreva um script que renomeie os arquivos por data.", "اكتب دالة لفرز قائمة من الأرقام",
    "Scrivi una query SQL per i dieci clienti migliori.", "उपयोगकर्ता लॉगिन के लिए एक टेस्ट लिखो",
    "Veri modeli için bir migrasyon yaz.", "What does HTTP status 418 mean?",
    "Napisz skrypt, który sprawdza linki w dokumentacji.",
    "Convert this class to a dataclass: class A: pass",
)  # fmt: skip
LOG = """2026-11-30 12:00:01,123 ERROR pool: connection refused
2026-11-30 12:00:02,456 WARN pool: retrying
2026-11-30 12:00:04,001 ERROR pool: gave up"""
TEST_RUN = """FAILED tests/test_a.py::test_one
FAILED tests/test_a.py::test_two
===== 2 failed in 0.12s ====="""
NO_TASKS = (
    "yes", "go on", "ok", "weiter", "danke", "oui", "sí", "да", "продолжай", "继续", "好的",
    "はい", "続けて", "계속해", "sim", "grazie", "tamam", "نعم", "thanks, looks good", "1", "👍",
    "yes, b.py", LOG, TEST_RUN, '{"status": "created", "error": "not found"}',
)  # fmt: skip
PICKS = {"easy": (GEMINI,), "medium": (SONNET, GEMINI), "hard": (OPUS, OPUS, GPT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, and the engine's answer if it is called."""

    agent: ClaudeCode | Codex | Chat
    child: str | None
    """The sub-agent."""
    said: Said
    holds_task: bool
    answer: Answer
    denied: bool
    """No third party may read it."""
    oracle: Oracle

    def expected(self, *, tokens: int) -> tuple[int, str | None]:
        """The engine calls, and the model that is decided for."""
        turn = Turn(
            words=self.said.words,
            holds_task=self.holds_task,
            answer=self.answer,
            tokens=tokens,
            reset=self.said.reset,
            bound=self.said.bound,
            third_party=not self.denied,
        )
        return self.oracle.turn(turn)


def conversations(count: int, *, seed: int, shadow: bool) -> Iterator[Iterator[Asked]]:
    """`count` conversations, each by the next agent.

    Ask for a request when the one before is answered: it is drawn by what the oracle knows then.
    """
    dice = random.Random(seed)
    for number in range(count):
        agent = AGENTS[number % len(AGENTS)]
        session = f"{type(agent).__name__}-{number}"
        yield _conversation(agent, session, dice, shadow=shadow)


def _conversation(
    agent: ClaudeCode | Codex | Chat, session: str, dice: random.Random, *, shadow: bool
) -> Iterator[Asked]:
    denied, has_state, large = (dice.random() < share for share in (0.15, 0.25, 0.6))
    oracles: dict[str | None, Oracle] = {}
    tasks: dict[str | None, str] = {}
    for _ in range(dice.randint(4, 10)):
        child = dice.choice([None, None, None, "child"]) if agent.spawns else None
        first = child not in oracles
        oracle = oracles.setdefault(child, Oracle(shadow))
        kind = dice.choices(["task", "loop", "talk", "probe"], [5, 2, 2, 0.5])[0]
        kind = "task" if kind == "loop" and child not in tasks else kind
        if kind == "task":
            tasks[child] = dice.choice(TASKS)
        words = {"talk": dice.choice(NO_TASKS), "probe": "quota"}.get(kind, tasks.get(child, ""))
        reset = agent.summarizes and not first and dice.random() < 0.12
        loop = dice.randint(1, 3) if kind == "loop" and not reset else 0
        said = Said(
            words=words,
            session=session,
            first=first,
            loop=loop,
            reset=reset,
            image=kind == "task" and dice.random() < 0.1,
            bound=has_state and loop > 0,
            probe=kind == "probe",
            large=large,
        )
        yield Asked(
            agent=agent,
            child=child,
            said=said,
            holds_task=kind in {"task", "loop"},
            answer=_answer(dice, oracle, bound=said.bound),
            denied=denied,
            oracle=oracle,
        )


def _answer(dice: random.Random, oracle: Oracle, *, bound: bool) -> Answer:
    difficulty = dice.choice(["easy", "easy", "medium", "hard", "hard"])
    picks: tuple[str, ...] = PICKS[difficulty]
    if bound:
        # The engine sees the candidates behind the fence alone.
        provider = (oracle.served or OPUS).partition("/")[0]
        picks = tuple(c for c in CANDIDATES if c.startswith(f"{provider}/"))
    confidence = dice.choice([0.9, 0.9, 0.9, 0.5])
    return Answer(model=dice.choice(picks), difficulty=difficulty, confidence=confidence)
