"""Answers as JSON: names, places and what is left out."""

from __future__ import annotations

from pointsman_server.core.model import Classification, EngineAnswer, Head, Source
from pointsman_server.morph_api import answers

LABELS = Classification(
    difficulty=Head(label="hard", confidence=0.8, meets_threshold=True),
    domain=Head(label="coding", confidence=0.4, meets_threshold=False),
)


def test_a_decision_has_the_router_id_and_every_head() -> None:
    answer = EngineAnswer(
        source=Source.LOCAL,
        model="openai/gpt-5.5",
        router_model="gpt-5.5",
        difficulty="easy",
        confidence=0.9,
        ambiguity="low",
        ambiguity_confidence=0.0,
        domain="data",
        domain_confidence=1.0,
    )
    assert answers.decision(answer, provider="openai") == {
        "model": "gpt-5.5",
        "provider": "openai",
        "difficulty": "easy",
        "confidence": 0.9,
        "ambiguity": "low",
        "ambiguity_confidence": 0.0,
        "domain": "data",
        "domain_confidence": 1.0,
    }


def test_what_is_not_known_is_left_out_rather_than_null() -> None:
    answer = EngineAnswer(source=Source.LOCAL, model="a/b", router_model="b")
    assert answers.decision(answer, provider=None) == {"model": "b"}


def test_the_only_choice_carries_the_labels() -> None:
    assert answers.only_choice("b", provider="a", labels=LABELS) == {
        "model": "b",
        "provider": "a",
        "difficulty": "hard",
        "confidence": 0.8,
        "domain": "coding",
        "domain_confidence": 0.4,
    }


def test_heads_carry_the_place_of_their_label() -> None:
    assert answers.classifications(LABELS, heads=("difficulty", "ambiguity", "domain")) == {
        "classifications": {
            "difficulty": {
                "class_id": 2,
                "label": "hard",
                "confidence": 0.8,
                "meets_threshold": True,
            },
            "domain": {
                "class_id": 2,
                "label": "coding",
                "confidence": 0.4,
                "meets_threshold": False,
            },
        }
    }


def test_a_label_without_a_place_has_none() -> None:
    labels = Classification(domain=Head(label="poetry", confidence=0.5, meets_threshold=True))
    head = answers.classifications(labels, heads=("domain",))["classifications"]["domain"]
    assert head == {"label": "poetry", "confidence": 0.5, "meets_threshold": True}


def test_only_the_heads_that_were_asked_for_are_answered() -> None:
    found = answers.classifications(LABELS, heads=("domain",))["classifications"]
    assert list(found) == ["domain"]
