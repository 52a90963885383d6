"""The models that a request may get, under the names in the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.core.model import CatalogModel
from pointsman_server.morph_api.wire import RouteBody

VENDOR_PROVIDERS = {"google": "gemini"}
"""Public ids name a provider one way, the vendor's API another. Source: clients of that API."""


class Offer:
    """The catalog as callers see it."""

    def __init__(self, models: Mapping[str, CatalogModel]) -> None:
        """`models` maps router ids to catalog entries, each with that `router_id`."""
        by_public_id = {m.public_id: replace(m, router_id=m.public_id) for m in models.values()}
        # Built once: an engine may cache its results for a model by the object.
        self._known = {**by_public_id, **models}
        self._all = tuple(models)

    def candidates(self, body: RouteBody) -> tuple[CatalogModel, ...]:
        """At least one model, in the request's order, no two the same; else `InvalidRequest`.

        Each has the request's name for it as `router_id`. A model that the catalog does not know
        is eligible all the same: nothing but its name is known of it.
        """
        names = self._all if body.allowed_models is None else body.allowed_models
        found: dict[str, CatalogModel] = {}
        for name in names:
            model = self._named(name)
            if not model.experimental and _provider_allowed(model, body.allowed_providers):
                found.setdefault(model.public_id, model)
        if not found:
            raise InvalidRequest([_nothing_left(body)])
        return tuple(found.values())

    def default(self, body: RouteBody, candidates: tuple[CatalogModel, ...]) -> CatalogModel:
        """The candidate that `default_model` names, else the first."""
        if body.default_model is not None:
            wanted = self._named(body.default_model).public_id
            for candidate in candidates:
                if candidate.public_id == wanted:
                    return candidate
        return candidates[0]

    def provider(self, model: CatalogModel) -> str | None:
        """The provider as the vendor names it; `None` where the catalog does not know the model."""
        known = self._known.get(model.public_id)
        return None if known is None else vendor_provider(known.provider)

    def _named(self, name: str) -> CatalogModel:
        return self._known.get(name) or CatalogModel(public_id=name, router_id=name)


def vendor_provider(provider: str) -> str:
    """Give a provider's name in the vendor's API."""
    return VENDOR_PROVIDERS.get(provider, provider)


def _provider_allowed(model: CatalogModel, allowed: tuple[str, ...] | None) -> bool:
    return allowed is None or vendor_provider(model.provider) in {
        vendor_provider(p) for p in allowed
    }


def _nothing_left(body: RouteBody) -> FieldViolation:
    field = "allowed_models" if body.allowed_providers is None else "allowed_providers"
    return FieldViolation(field, "leaves no model to choose")
