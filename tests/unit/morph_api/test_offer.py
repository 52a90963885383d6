"""Which models a request may get, and under which names."""

from __future__ import annotations

import pytest
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.model import CatalogModel
from pointsman_server.morph_api.offer import Offer
from pointsman_server.morph_api.wire import RouteBody

OPUS = CatalogModel(public_id="anthropic/claude-opus-4.8", router_id="claude-opus-4-8", score=0.9)
FLASH = CatalogModel(public_id="google/gemini-3.5-flash", router_id="gemini-3.5-flash")
SECRET = CatalogModel(public_id="openai/next", router_id="next", experimental=True)
OFFER = Offer({model.router_id or "": model for model in (OPUS, FLASH, SECRET)})


def body(
    models: tuple[str, ...] | None = None,
    *,
    providers: tuple[str, ...] | None = None,
    default: str | None = None,
) -> RouteBody:
    return RouteBody(
        prompt="Fix it",
        allowed_models=models,
        allowed_providers=providers,
        policy="balanced",
        default_model=default,
    )


def names(request: RouteBody) -> list[str | None]:
    return [model.router_id for model in OFFER.candidates(request)]


def test_no_list_means_all_models_that_are_not_experimental() -> None:
    assert names(body()) == ["claude-opus-4-8", "gemini-3.5-flash"]


def test_the_order_is_the_callers() -> None:
    asked = ("gemini-3.5-flash", "claude-opus-4-8")
    assert names(body(asked)) == list(asked)


def test_an_experimental_model_is_never_a_candidate() -> None:
    assert names(body(("next", "gemini-3.5-flash"))) == ["gemini-3.5-flash"]


def test_an_unknown_model_is_eligible_and_bare() -> None:
    asked = ("mystery-9", "claude-opus-4-8")
    unknown, known = OFFER.candidates(body(asked))
    assert unknown == CatalogModel(public_id="mystery-9", router_id="mystery-9")
    assert known == OPUS


def test_a_public_id_names_its_model_and_is_what_is_answered() -> None:
    (model,) = OFFER.candidates(body(("anthropic/claude-opus-4.8",)))
    assert (model.public_id, model.router_id, model.score) == (
        "anthropic/claude-opus-4.8",
        "anthropic/claude-opus-4.8",
        0.9,
    )


def test_a_model_is_the_same_object_on_every_request() -> None:
    for asked in (("claude-opus-4-8",), ("anthropic/claude-opus-4.8",)):
        (first,), (second,) = OFFER.candidates(body(asked)), OFFER.candidates(body(asked))
        assert first is second


def test_two_names_of_one_model_are_one_candidate_under_the_first() -> None:
    asked = ("anthropic/claude-opus-4.8", "claude-opus-4-8", "gemini-3.5-flash")
    assert names(body(asked)) == ["anthropic/claude-opus-4.8", "gemini-3.5-flash"]


@pytest.mark.parametrize("provider", ["gemini", "google"])
def test_a_provider_is_allowed_under_either_name(provider: str) -> None:
    assert names(body(providers=(provider,))) == ["gemini-3.5-flash"]


def test_both_lists_must_allow_a_model() -> None:
    asked = ("claude-opus-4-8", "gemini-3.5-flash", "mystery-9")
    assert names(body(asked, providers=("anthropic",))) == ["claude-opus-4-8"]


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        (body(("next",)), "allowed_models"),
        (body(providers=("mistral",)), "allowed_providers"),
        (body(("claude-opus-4-8",), providers=("openai",)), "allowed_providers"),
    ],
)
def test_no_model_left_is_a_bad_request(request_body: RouteBody, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OFFER.candidates(request_body)
    assert [v.field for v in caught.value.violations] == [field]


def test_an_empty_catalog_needs_a_list() -> None:
    with pytest.raises(InvalidRequest, match="allowed_models"):
        Offer({}).candidates(body())


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("gemini-3.5-flash", "gemini-3.5-flash"),
        ("google/gemini-3.5-flash", "gemini-3.5-flash"),
        (None, "claude-opus-4-8"),
        ("not-allowed", "claude-opus-4-8"),
    ],
)
def test_the_default_is_a_candidate(default: str | None, expected: str) -> None:
    request = body(default=default)
    assert OFFER.default(request, OFFER.candidates(request)).router_id == expected


def test_the_provider_is_named_as_the_vendor_does_and_absent_for_an_unknown_model() -> None:
    asked = body(("claude-opus-4-8", "gemini-3.5-flash", "vendor/mystery"))
    found = [OFFER.provider(model) for model in OFFER.candidates(asked)]
    assert found == ["anthropic", "gemini", None]
