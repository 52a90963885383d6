"""Scripted servers of every remote engine, and one table of faults for all of them.

Each server is the product's own endpoint with fault injection. A fault is a step of its script, by
engine where the engines' answers differ, and the stage at which the engine fails; `None`: the
engine answers all the same.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

from pointsman_server import decision_api, morph_api
from pointsman_server.core.engine_rules import DecisionFormat
from pointsman_server.fault_injection import FaultInjection, FaultScript
from pointsman_server.http_api.keys import FixedKeys
from pointsman_server.http_api.server import serve

from support.decision_answers import answered
from support.morph import FirstModel
from support.remote import RULE, decision_model_codec, decision_model_rules

KEY = "key"
FORMATS = {"systemone": DecisionFormat.SYSTEM_ONE, "decisions": DecisionFormat.DECISIONS}
REMOTE = ("morph", *FORMATS)
"""Remote engines by the name that a policy file of these tests gives them."""
MORPH_ANSWER = {"model": "gpt-5.5", "difficulty": "easy", "confidence": 0.9}


def truth(engine: str, **judgement: Any) -> dict[str, Any]:
    """A right answer of an engine."""
    if engine == "morph":
        return dict(MORPH_ANSWER)
    codec = decision_model_codec(decision_model_rules(format=FORMATS[engine]))
    return answered(json.loads(codec.encode_prompt("Hi")), **judgement)


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    done: str
    stage: str | None
    step: Mapping[str, Any] | None = None
    """The same step for every engine; `None`: `answers` has one for each."""
    answers: Mapping[str, Any] | None = None
    """Engine -> the body, as JSON or as text."""
    only: tuple[str, ...] = REMOTE

    def script(self, engine: str) -> dict[str, Any]:
        """The step for an engine."""
        if self.step is not None:
            return dict(self.step)
        assert self.answers is not None
        answer = self.answers[engine]
        return {"body": answer} if isinstance(answer, str) else {"json": answer}


def _without_an_answer(engine: str) -> Any:
    record = truth(engine)
    if engine == "morph":
        del record["model"]
    elif engine == "systemone":
        del record["answers"]["turn"]
    else:
        record["answers"].pop()
    return record


def _refused(engine: str) -> Any:
    record = truth(engine)
    if engine == "morph":
        record["model"] = None
    elif engine == "systemone":
        record["answers"]["effort"] = None
    else:
        record["answers"][0] = {"type": "refusal", "name": "effort"}
    return record


def _with_effort(engine: str, chance: float) -> str:
    """Every level of effort has this probability; Morph's confidence has it."""
    record = copy.deepcopy(truth(engine))
    if engine == "morph":
        record["confidence"] = chance
    elif engine == "systemone":
        record["answers"]["effort"]["probabilities"] = dict.fromkeys("01234", chance)
    else:
        for level in record["answers"][0]["probabilities"]:
            level["probability"] = chance
    return json.dumps(record)


def _each(build: Any, *given: Any) -> dict[str, Any]:
    return {engine: build(engine, *given) for engine in REMOTE}


MODELS = tuple(FORMATS)
FAULTS = {
    "hangs": Fault("takes the request, says nothing", "timeout", {"delay_ms": 600_000}),
    "stalls": Fault("headers, and no body", "timeout", {"stall_body": True}),
    "slow": Fault("the body at 1 byte/s", "timeout", {"slow_body_ms_per_byte": 1_000}),
    "huge": Fault("a body of 1 MiB", "invalid_response", {"huge_body_bytes": 1 << 20}),
    "breaks off": Fault("half a body, then the end", "fetch", {"broken_body": True}),
    "resets": Fault("a TCP reset", "fetch", {"reset": True}),
    "429": Fault("429 to every call", "http_429", {"status": 429}),
    "529": Fault("529 to every call", "http_529", {"status": 529}),
    "redirects": Fault("307 to another path", "http_307", {"redirect": "/elsewhere"}),
    "wrong JSON": Fault("a list", "invalid_response", {"json": [1, 2]}),
    "half JSON": Fault("an object without end", "invalid_response", {"body": '{"model": "gpt'}),
    "endless 100": Fault("100 Continue without end", "invalid_response", {"endless_interim": True}),
    "missing answer": Fault(
        "an answer is missing", "invalid_response", answers=_each(_without_an_answer)
    ),
    "refusal": Fault("the model refuses", "invalid_response", answers=_each(_refused)),
    "NaN": Fault(
        "NaN as a probability",
        "invalid_response",
        answers=_each(_with_effort, math.nan),
        only=MODELS,
    ),
    "sum 3": Fault(
        "probabilities of sum 3", "invalid_response", answers=_each(_with_effort, 0.6), only=MODELS
    ),
    # A head that cannot be read costs Morph's answer nothing but the head.
    "NaN beside a model": Fault(
        "NaN as a confidence", None, answers=_each(_with_effort, math.nan), only=("morph",)
    ),
    "3 beside a model": Fault(
        "a confidence of 3", None, answers=_each(_with_effort, 3.0), only=("morph",)
    ),
}
ROWS = [(engine, name) for name, fault in FAULTS.items() for engine in fault.only]


class ScriptedServer:
    """The server of one remote engine; answers truly until it is scripted."""

    def __init__(self, engine: str, *, port: int = 0) -> None:
        self.engine = engine
        self._port = port
        self._script = FaultScript()
        self._stack = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        faults = FaultInjection(self._script)
        if self.engine == "morph":
            first = FirstModel()
            app = morph_api.build_app(
                engine=first,
                classifier=first,
                models={},
                keys=FixedKeys((KEY,)),
                faults=faults,
            )
        else:
            app = decision_api.build_app(reader=RULE, keys=FixedKeys((KEY,)), faults=faults)
        listening = await serve(app, port=self._port, grace=0.1)
        self._stack.push_async_callback(listening.aclose)
        self.url = listening.url
        self.recover()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def calls(self) -> tuple[Any, ...]:
        """The calls so far, oldest first."""
        return self._script.calls

    def fail(self, fault: str) -> None:
        """Meet every call with a fault of the table."""
        self._script.load([FAULTS[fault].script(self.engine) | {"times": -1}])

    def recover(self) -> None:
        """Meet every call with a right answer."""
        self._script.load([{"json": truth(self.engine), "times": -1}])


def engines_section(engine: str, url: str, **settings: Any) -> dict[str, Any]:
    """`engines` of a policy file: the remote engine, then `local`."""
    order = {"order": [engine, "local"]}
    if engine == "morph":
        return order | {"morph": {"url": url, **settings}}
    model = {"url": url, "format": engine, "model": "m", "key_env": "DECISION_KEY"} | settings
    return order | {"decision_models": {engine: model}}


ENVIRONMENT = {
    "MORPH_API_KEY": KEY,
    "DECISION_KEY": KEY,
    "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
    "POINTSMAN_DECISION_MODEL_ENABLED": "true",
}
