"""Bodies that are not read: broken, too slow, or too long.

With `serves` no tier of such a body leaves for a provider: the static pick takes its place where a
search finds it, and the request is refused where there may be one that a search cannot find.
"""

from __future__ import annotations

from pointsman_extproc.body import Body
from pointsman_extproc.encodings import Encoding
from pointsman_extproc.head import Head
from pointsman_extproc.leading_model import leading_model
from pointsman_extproc.paths import Purpose
from pointsman_extproc.reading import is_tier
from pointsman_extproc.salvage import Found, replaced, tiers_in
from pointsman_extproc.settings import Settings
from pointsman_extproc.verdict import Passed, Verdict, refusal_for


async def salvaged(head: Head, body: Body, *, why: str, settings: Settings) -> Verdict:
    """Return the verdict on a whole body that could not be read."""
    if not settings.serves:
        return Verdict(why=why)
    if 0 in body[:4]:  # UTF-16 or UTF-32, in which the search finds nothing
        return refused(why, settings=settings)
    try:
        found = await tiers_in(body, tiers=settings.tiers)
    except ValueError:
        return refused(why, settings=settings)
    return _static(head, body, found=found, why=why, settings=settings)


def cut_off(head: Head, start: Body, *, settings: Settings) -> Verdict:
    """Return the verdict on a body of which only the start may be held."""
    why = Passed.TOO_LARGE
    if not settings.serves:
        return Verdict(why=why)
    if head.encoding is not Encoding.IDENTITY:
        return refused(why, settings=settings)
    named = leading_model(start)
    if named is None and head.target.path_model is None:
        if head.target.purpose is Purpose.UNKNOWN:
            return Verdict(why=why)
        return refused(why, settings=settings)  # the model may stand further on
    found = (named,) if named is not None and is_tier(named.tier, settings.tiers) else ()
    return _static(head, start, found=found, why=why, settings=settings)


def refused(why: str, *, settings: Settings) -> Verdict:
    """Refuse a request; in shadow mode let it go on as it came."""
    return Verdict(why=why, refusal=refusal_for(why) if settings.serves else None)


def path_with(head: Head, *, model: str, settings: Settings) -> str | None:
    """Return the path with `model` in place of a tier; `None` where it names none."""
    named = head.target.path_model
    if named is None or not is_tier(named.model, settings.tiers):
        return None
    return named.with_model(model)


def _static(
    head: Head, body: Body, *, found: tuple[Found, ...], why: str, settings: Settings
) -> Verdict:
    path_model = head.target.path_model
    tiers = {each.tier for each in found}
    if path_model is not None and is_tier(path_model.model, settings.tiers):
        tiers.add(path_model.model.strip().lower())
    if not tiers:
        return Verdict(why=why)
    models = {tier: settings.tiers[tier] or "" for tier in tiers}
    if not all(models.values()):
        return refused(why, settings=settings)
    model = next(iter(models.values()))
    return Verdict(
        why=why,
        model=model,
        body=replaced(body, found, models=models),
        path=path_with(head, model=model, settings=settings),
        decoded=head.encoding is not Encoding.IDENTITY,
    )
