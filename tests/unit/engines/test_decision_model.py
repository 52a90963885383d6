"""Decision models: what each format asks, what its answers become, what is refused."""

from __future__ import annotations

import copy
import json
import math

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.engine_rules import DOMAINS, DecisionFormat, Questions
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import Source
from pointsman_server.engines.decision_model.classifier import DecisionModelClassifier
from pointsman_server.engines.decision_model.codec import path_of
from pointsman_server.engines.decision_model.questions import estimate_of
from pointsman_server.engines.remote.client import client_over
from support.builders import GPT, OPUS, SONNET, model, query
from support.decision_answers import BY_FORMAT, answered
from support.remote import (
    caller_of,
    decision_model_codec,
    decision_model_engine,
    decision_model_rules,
)

EASY = (0.7, 0.2, 0.05, 0.03, 0.02)
HARD = (0.01, 0.02, 0.07, 0.3, 0.6)
CODING = (0.05, 0.05, 0.8, 0.05, 0.05)
PROMPT = "Fix the flaky test"

each_format = pytest.mark.parametrize("wire", list(DecisionFormat))
CHEAP = model(GPT, input_price=0.1, output_price=0.4, routine=0.9, heavy={"coding": 0.4})
GOOD = model(OPUS, input_price=5.0, output_price=25.0, routine=0.92, heavy={"coding": 0.7})


def ask(**changes):
    return query(
        candidates=(CHEAP, GOOD), prompt=PROMPT, policy="balanced", default=GOOD, **changes
    )


def server_that(respond):
    """A client whose server answers with what `respond` makes of the request's JSON."""
    requests = []

    def handle(request):
        requests.append(request)
        body = respond(json.loads(request.content))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(200, stream=httpx.ByteStream(content))

    return client_over(httpx.MockTransport(handle)), requests


async def decided(wire, *, spoil=lambda _: None, rules=None, **judgement):
    rules = rules or decision_model_rules(format=wire)

    def respond(request):
        response = answered(request, **({"effort": EASY, "domain": CODING} | judgement))
        spoiled = spoil(response)
        return response if spoiled is None else spoiled

    client, requests = server_that(respond)
    answer = await decision_model_engine(client, rules=rules).decide(ask())
    return answer, requests


async def refused(wire, spoil):
    with pytest.raises(EngineFailed) as caught:
        await decided(wire, spoil=spoil)
    return caught.value.failure


# ---------------------------------------------------------------- what is asked


@each_format
async def test_one_request_holds_the_prompt_the_model_and_four_questions(wire):
    _, (request,) = await decided(wire)
    body = json.loads(request.content)
    names = body["questions"]
    assert request.url.path == f"/v1/{wire}"
    assert request.headers["authorization"] == "Bearer sk"
    if wire is DecisionFormat.DECISIONS:
        assert set(body) == {"model", "input", "questions"}
        names = [question["name"] for question in names]
    else:
        assert set(body) == {"model", "state", "questions"}
    assert body["model"] == "jev-latest"
    assert list(names) == ["effort", "domain", "needs_info", "turn"]
    assert PROMPT in request.content.decode()
    assert GPT not in request.content.decode()


def test_questions_of_system_one_have_no_fields_but_those_of_the_format():
    codec = decision_model_codec(decision_model_rules(format=DecisionFormat.SYSTEM_ONE))
    questions = json.loads(codec.encode_prompt("Hi"))["questions"]
    assert {q["type"] for q in questions.values()} == {"score", "choice", "noul"}
    assert all(set(q) == {"type", "instructions", "criteria"} for q in questions.values())
    assert [level.partition(":")[0] for level in questions["effort"]["criteria"]] == [
        "trivial", "simple", "moderate", "demanding", "expert",
    ]  # fmt: skip
    assert tuple(questions["domain"]["criteria"]) == DOMAINS
    assert set(questions["turn"]["criteria"]) == {"true", "false"}


def test_questions_of_decisions_have_labels_and_descriptions():
    codec = decision_model_codec(decision_model_rules(format=DecisionFormat.DECISIONS))
    effort, domain, needs_info, turn = json.loads(codec.encode_prompt("Hi"))["questions"]
    assert effort["levels"][0]["label"] == "trivial"
    assert [choice["value"] for choice in domain["choices"]] == list(DOMAINS)
    assert set(needs_info) == set(turn) == {"type", "name", "instructions"}


@each_format
async def test_with_averaged_orders_effort_and_domain_are_asked_in_both(wire):
    rules = decision_model_rules(format=wire, average_orders=True)
    _, (request,) = await decided(wire, rules=rules)
    questions = json.loads(request.content)["questions"]
    if wire is DecisionFormat.DECISIONS:
        by_name = {question["name"]: question for question in questions}
        forward, backward = by_name["effort"]["levels"], by_name["effort_reversed"]["levels"]
    else:
        forward = questions["effort"]["criteria"]
        backward = questions["effort_reversed"]["criteria"]
    assert backward == forward[::-1]
    assert len(questions) == 6


def test_answers_in_both_orders_are_averaged():
    forward = (0.5, 0.5, 0.0, 0.0, 0.0)
    backward = (0.0, 0.0, 0.5, 0.0, 0.5)  # of the reversed levels
    answers = {
        "effort": forward,
        "effort_reversed": backward,
        "domain": CODING,
        "domain_reversed": CODING[::-1],
        "needs_info": (0.1,),
        "turn": (0.2,),
    }
    estimate = estimate_of(answers)
    assert estimate.effort == pytest.approx((0.5, 0.25, 0.25, 0.0, 0.0))
    assert estimate.domains == pytest.approx(CODING)


# ---------------------------------------------------------------- what the answers become


@each_format
async def test_an_easy_prompt_goes_to_the_cheap_model_and_a_hard_one_to_the_good(wire):
    easy, _ = await decided(wire, effort=EASY)
    hard, _ = await decided(wire, effort=HARD)
    assert (easy.model, easy.difficulty) == (GPT, "easy")
    assert (hard.model, hard.difficulty) == (OPUS, "hard")
    assert easy.source is hard.source is Source.DECISION_MODEL
    assert easy.confidence == pytest.approx(0.9)
    assert hard.confidence == pytest.approx(0.9)
    assert (easy.effort, hard.effort) == pytest.approx((1.47, 4.46))
    assert (easy.domain, easy.domain_confidence) == ("coding", pytest.approx(0.8))
    assert [ranked.model for ranked in hard.ranking] == [OPUS, GPT]


@each_format
async def test_a_prompt_that_cannot_be_sized_gets_the_default(wire):
    vague, _ = await decided(wire, needs_info=0.9)
    assert (vague.model, vague.difficulty, vague.confidence) == (OPUS, "needs_info", 0.9)
    assert (vague.ambiguity, vague.ambiguity_confidence) == ("high", 0.9)


@each_format
async def test_confidence_of_the_server_is_not_read(wire):
    def boast(response):
        for answer in each_answer(response):
            answer["confidence"] = -1

    answer, _ = await decided(wire, spoil=boast)
    assert answer.confidence == pytest.approx(0.9)


@each_format
async def test_an_option_that_is_left_out_has_no_probability(wire):
    def shorten(response):
        probabilities = named(response, "effort")["probabilities"]
        key = list(probabilities)[-1] if isinstance(probabilities, dict) else -1
        probabilities.pop(key)

    answer, _ = await decided(wire, effort=(0.6, 0.4, 0, 0, 0), spoil=shorten)
    assert answer.difficulty == "easy"


@each_format
async def test_rounded_probabilities_are_accepted(wire):
    answer, _ = await decided(wire, effort=(0.67, 0.17, 0.17, 0.0, 0.0))
    assert answer.confidence == pytest.approx(0.84 / 1.01)


@each_format
async def test_what_rounding_took_beyond_one_is_accepted(wire):
    answer, _ = await decided(wire, effort=(1.0000000002, 0, 0, 0, -1e-12), turn=-1e-9)
    assert (answer.difficulty, answer.confidence) == ("easy", 1.0)


@each_format
async def test_an_answer_may_leave_out_its_type_and_its_name(wire):
    def shorten(response):
        for answer in each_answer(response):
            answer.pop("type")
            if "name" in answer:
                answer["name"] = None

    answer, _ = await decided(wire, spoil=shorten)
    assert answer.difficulty == "easy"


# ---------------------------------------------------------------- what is refused


def each_answer(response):
    answers = response["answers"]
    return list(answers.values()) if isinstance(answers, dict) else answers


def named(response, name):
    answers = response["answers"]
    if isinstance(answers, dict):
        return answers[name]
    return next(answer for answer in answers if answer["name"] == name)


def spoil_probability(value):
    def spoil(response):
        probabilities = named(response, "domain")["probabilities"]
        if isinstance(probabilities, dict):
            probabilities["coding"] = value
        else:
            probabilities[2]["probability"] = value

    return spoil


def unknown_option(response):
    probabilities = named(response, "domain")["probabilities"]
    if isinstance(probabilities, dict):
        probabilities["poetry"] = 0.0
    else:
        probabilities.append({"value": "poetry", "probability": 0.0})


def missing_answer(response):
    answers = response["answers"]
    answers.pop("turn") if isinstance(answers, dict) else answers.pop()


def wrong_name(response):
    answers = response["answers"]
    if isinstance(answers, dict):
        answers["Effort"] = answers.pop("effort")
    else:
        answers[0]["name"] = ["effort"]


def wrong_type(response):
    named(response, "effort")["type"] = "choice"


def refusal(response):
    answer = named(response, "effort")
    answer.clear()
    answer |= {"type": "refusal", "name": "effort"}


def yes_no(value):
    def spoil(response):
        answer = named(response, "needs_info")
        answer["noul" if "noul" in answer else "probability"] = value

    return spoil


SPOILED = {
    "a missing answer": missing_answer,
    "a refusal": refusal,
    "another type": wrong_type,
    "another name": wrong_name,
    "NaN": spoil_probability(math.nan),
    "infinity": spoil_probability(math.inf),
    "negative": spoil_probability(-0.1),
    "text": spoil_probability("0.8"),
    "true": spoil_probability(True),
    "null": spoil_probability(None),
    "a sum far from 1": spoil_probability(0.1),
    "an unknown option": unknown_option,
    "yes is NaN": yes_no(math.nan),
    "yes is 1.5": yes_no(1.5),
    "yes is true": yes_no(True),
    "no answers": lambda response: {"model": response["model"]},
    "answers are text": lambda response: response | {"answers": "yes"},
    "answers are null": lambda response: response | {"answers": None},
    "a list": lambda _: [1, 2],
    "no JSON": lambda _: b"<html>",
    "half JSON": lambda _: b'{"answers": {',
    "nothing": lambda _: b"",
}


@each_format
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=list(SPOILED))
async def test_an_answer_that_is_none_is_an_invalid_response(wire, spoil):
    failure = await refused(wire, spoil)
    assert (failure.engine, failure.stage) == ("jev", "invalid_response")


async def test_probabilities_of_sum_3_are_refused():
    def thrice(response):
        named(response, "effort")["probabilities"] = dict.fromkeys("01234", 0.6)

    assert (await refused(DecisionFormat.SYSTEM_ONE, thrice)).stage == "invalid_response"


async def test_an_option_given_twice_is_refused():
    def twice(response):
        probabilities = named(response, "domain")["probabilities"]
        probabilities.append(copy.copy(probabilities[0]))

    assert (await refused(DecisionFormat.DECISIONS, twice)).stage == "invalid_response"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)


@given(st.sampled_from(list(DecisionFormat)), json_values)
def test_any_json_is_a_decision_or_none(wire, value):
    codec = decision_model_codec(decision_model_rules(format=wire))
    assert codec.decode(json.dumps({"answers": value}).encode(), ask()) is None


@given(
    st.sampled_from(list(DecisionFormat)),
    st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda p: sum(p) > 0.01),
    st.floats(0, 1),
    st.sampled_from(["capability_heavy", "balanced", "cost_efficient", "domain_skills"]),
)
def test_every_distribution_becomes_one_of_the_candidates(wire, effort, needs_info, policy):
    effort = [p / sum(effort) for p in effort]
    codec = decision_model_codec(decision_model_rules(format=wire))
    request = json.loads(codec.encode_prompt("Hi"))
    body = json.dumps(answered(request, effort=effort, domain=CODING, needs_info=needs_info))
    asked = query(GPT, OPUS, SONNET, policy=policy)
    answer = codec.decode(body.encode(), asked)
    assert answer.model in {GPT, OPUS, SONNET}
    shares = (answer.confidence, answer.ambiguity_confidence, answer.domain_confidence)
    assert all(0 <= share <= 1 for share in shares)
    assert 1 <= answer.effort <= 5


# ---------------------------------------------------------------- questions and keys


def test_levels_without_a_label_are_asked_whole():
    same = tuple(f"level: {n}" for n in "abcde")
    texts = Questions(effort=Questions().effort.__class__(levels=same))
    rules = decision_model_rules(format=DecisionFormat.DECISIONS, questions=texts)
    effort = json.loads(decision_model_codec(rules).encode_prompt("Hi"))["questions"][0]
    assert effort["levels"] == [{"label": text} for text in same]


async def test_a_server_without_a_key_gets_none():
    rules = decision_model_rules()
    client, requests = server_that(lambda r: answered(r, effort=EASY, domain=CODING))
    await decision_model_engine(client, rules=rules, key=None).decide(ask())
    assert "authorization" not in requests[0].headers


# ---------------------------------------------------------------- classification


def classifier(respond, *, is_open=False):
    client, requests = server_that(respond)
    rules = decision_model_rules()
    caller = caller_of(client, name="jev", path=path_of(rules), rules=rules)
    codec = decision_model_codec(rules)
    return DecisionModelClassifier(caller, codec, is_open=lambda: is_open), requests


async def test_a_prompt_is_classified_by_the_same_questions():
    labels, _ = classifier(lambda r: answered(r, effort=HARD, domain=CODING, needs_info=0.1))
    found = await labels.classify(PROMPT)
    assert (found.difficulty.label, found.difficulty.meets_threshold) == ("hard", True)
    assert (found.ambiguity.label, found.domain.label) == ("low", "coding")


async def test_while_the_circuit_is_open_nothing_is_classified():
    labels, requests = classifier(lambda r: answered(r, effort=HARD), is_open=True)
    with pytest.raises(EngineFailed) as caught:
        await labels.classify(PROMPT)
    assert (caught.value.failure.stage, requests) == ("circuit_open", [])


async def test_labels_that_are_none_are_a_failure_and_not_a_guess():
    labels, _ = classifier(lambda _: {"answers": {}})
    with pytest.raises(EngineFailed) as caught:
        await labels.classify(PROMPT)
    assert caught.value.failure.stage == "invalid_response"


def test_the_table_has_every_format():
    assert set(BY_FORMAT) == {wire.value for wire in DecisionFormat}
