"""Classification beside a decision: neither's failure or slowness reaches the other."""

from __future__ import annotations

import asyncio
import logging

import pytest
from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.parallel_classification import BackgroundClassifier
from pointsman_server.core.model import Classification, Head
from support.builders import prompt
from support.fakes import failed, settle

HARD = Classification(difficulty=Head(label="hard", confidence=0.9, meets_threshold=True))


class Classifier:
    """Says what it is told to, after `gate`; notes what it was asked and whether it was stopped."""

    def __init__(self, result=HARD, *, gate=None):
        self.result = result
        self.gate = gate
        self.prompts = []
        self.stopped = False
        self.left = asyncio.Event()

    async def classify(self, text):
        self.prompts.append(text)
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.stopped = True
                self.left.set()
                raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def beside(classifier, *, budget=60.0):
    return BackgroundClassifier(classifier, budget=budget, tracer=NoOpTracer())


async def test_an_embedded_classifier_is_ready_before_anything_else_is_waited_for():
    async with beside(Classifier()).beside(prompt()) as ready:
        assert ready() == HARD


async def test_the_classifier_sees_the_chosen_prompt():
    classifier = Classifier()
    async with beside(classifier).beside(prompt(" ", first=" The opening ")):
        pass
    assert classifier.prompts == ["The opening"]


async def test_a_classification_that_becomes_ready_while_the_decision_is_made_is_given():
    gate = asyncio.Event()
    async with beside(Classifier(gate=gate)).beside(prompt()) as ready:
        assert ready() is None
        gate.set()
        await settle()
        assert ready() == HARD
        assert ready() == HARD


async def test_a_decision_does_not_wait_for_a_slow_classifier_and_stops_it():
    classifier = Classifier(gate=asyncio.Event())
    async with beside(classifier).beside(prompt()) as ready:
        assert ready() is None
    await settle()
    assert classifier.stopped


async def test_leaving_does_not_wait_for_a_classifier_that_will_not_stop():
    release = asyncio.Event()

    class Stubborn:
        async def classify(self, _):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await release.wait()

    leg = beside(Stubborn())
    async with leg.beside(prompt()) as ready:
        assert ready() is None
    # Reached while the classifier still runs; somebody has to hold it until it ends.
    assert len(leg._running) == 1
    release.set()
    await settle()
    assert leg._running == set()


async def test_a_classifier_is_cut_off_by_its_own_budget(caplog):
    classifier = Classifier(gate=asyncio.Event())
    async with beside(classifier, budget=0.001).beside(prompt()) as ready:
        await classifier.left.wait()
        await settle()
        assert ready() is None
    assert "TimeoutError" in caplog.text


@pytest.mark.parametrize(
    "error", [failed("unexpected_error"), ValueError("canary-prompt")], ids=["ours", "foreign"]
)
async def test_a_classifiers_failure_is_the_absence_of_a_value_and_a_warning(error, caplog):
    async with beside(Classifier(error)).beside(prompt("canary-prompt")) as ready:
        assert ready() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "canary" not in caplog.text


async def test_a_decisions_failure_passes_and_stops_the_classifier():
    classifier = Classifier(gate=asyncio.Event())
    with pytest.raises(RuntimeError, match="the decision"):
        async with beside(classifier).beside(prompt()):
            raise RuntimeError("the decision")
    await settle()
    assert classifier.stopped


@pytest.mark.parametrize("given", [prompt(None), prompt(" ")], ids=["none", "blank"])
async def test_without_a_prompt_nothing_is_classified(given):
    classifier = Classifier()
    async with beside(classifier).beside(given) as ready:
        assert ready() is None
    assert classifier.prompts == []


async def test_without_a_classifier_there_is_no_classification():
    async with beside(None).beside(prompt()) as ready:
        assert ready() is None


async def test_classifications_of_several_requests_do_not_mix():
    leg = beside(Classifier())
    gate = asyncio.Event()
    slow = beside(Classifier(gate=gate))
    async with leg.beside(prompt()) as quick, slow.beside(prompt()) as waiting:
        assert (quick(), waiting()) == (HARD, None)


@pytest.mark.parametrize(
    ("remote", "asked"), [(True, "remote"), (False, "local")], ids=["may leave", "may not"]
)
async def test_a_prompt_goes_to_the_remote_classifier_only_where_it_may(remote, asked):
    classifiers = {"local": Classifier(), "remote": Classifier()}
    leg = BackgroundClassifier(
        classifiers["local"], budget=60.0, tracer=NoOpTracer(), remote=classifiers["remote"]
    )
    async with leg.beside(prompt(), remote=remote) as ready:
        assert ready() == HARD
    assert {name for name, each in classifiers.items() if each.prompts} == {asked}


async def test_without_a_remote_classifier_every_prompt_stays():
    classifier = Classifier()
    async with beside(classifier).beside(prompt(), remote=True) as ready:
        assert ready() == HARD
    assert len(classifier.prompts) == 1
