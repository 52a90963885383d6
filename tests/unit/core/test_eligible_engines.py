"""Which engines may be asked: the flag, the prompt's owner, the organisation."""

from __future__ import annotations

import itertools

import pytest
from pointsman_server.core.eligible_engines import eligible_engines, may_classify
from pointsman_server.core.model import DataPolicy, Organizations, Reason, SwitchValues
from support.builders import caller, request, rules
from support.remote import decision_model_rules

BOTH, MORPH, LOCAL = ("morph", "local"), ("morph",), ("local",)
UNSPECIFIED = DataPolicy.UNSPECIFIED
ALLOWED = DataPolicy.THIRD_PARTY_ALLOWED
DENIED = DataPolicy.THIRD_PARTY_DENIED
LOCAL_ONLY, OPEN = Organizations.LOCAL_ONLY, Organizations.ALLOWED


MODELS = {
    "jev": decision_model_rules(third_party=True),
    "ours": decision_model_rules(third_party=False),
}
EVERY = ("jev", "ours", "morph", "local")


def in_force(*, engines=BOTH, asked=UNSPECIFIED, org=None, **given):
    flag_on, models_on = given.pop("flag_on", True), given.pop("models_on", True)
    file, orgs = given.pop("file", ALLOWED), given.pop("orgs", LOCAL_ONLY)
    assert not given
    found = eligible_engines(
        request(data_policy=asked, caller=caller(organization_id=org)),
        rules=rules(engines=engines, data_policy=file, organizations=orgs, decision_models=MODELS),
        switches=SwitchValues(morph_router_enabled=flag_on, decision_model_enabled=models_on),
    )
    return found.names, found.reason


@pytest.mark.parametrize(
    ("given", "names", "reason"),
    [
        ({}, BOTH, None),
        ({"engines": ("local", "morph")}, ("local", "morph"), None),
        ({"flag_on": False}, LOCAL, None),
        ({"flag_on": False, "engines": LOCAL}, LOCAL, None),
        ({"flag_on": False, "engines": MORPH}, (), Reason.FLAG_OFF),
        ({"asked": DENIED}, LOCAL, None),
        ({"asked": DENIED, "engines": MORPH}, (), Reason.THIRD_PARTY_DENIED),
        ({"file": DENIED}, LOCAL, None),
        ({"file": DENIED, "asked": ALLOWED}, BOTH, None),
        ({"file": DENIED, "asked": DENIED}, LOCAL, None),
        ({"file": ALLOWED, "asked": DENIED}, LOCAL, None),
        ({"org": "org"}, LOCAL, None),
        ({"org": "org", "asked": ALLOWED}, LOCAL, None),
        ({"org": "org", "engines": MORPH}, (), Reason.THIRD_PARTY_DENIED),
        ({"org": "org", "orgs": Organizations.EXCLUDED}, (), Reason.ORGANIZATION_EXCLUDED),
        ({"orgs": Organizations.EXCLUDED}, BOTH, None),
        ({"org": "org", "orgs": OPEN}, BOTH, None),
        ({"org": "org", "orgs": OPEN, "asked": DENIED}, LOCAL, None),
        ({"org": "org", "orgs": OPEN, "file": DENIED}, LOCAL, None),
        ({"engines": EVERY}, EVERY, None),
        ({"engines": EVERY, "models_on": False}, ("morph", "local"), None),
        ({"engines": EVERY, "flag_on": False}, ("jev", "ours", "local"), None),
        ({"engines": EVERY, "flag_on": False, "models_on": False}, LOCAL, None),
        ({"engines": EVERY, "asked": DENIED}, ("ours", "local"), None),
        ({"engines": EVERY, "org": "org"}, ("ours", "local"), None),
        ({"engines": EVERY, "org": "org", "orgs": OPEN}, EVERY, None),
        ({"engines": ("jev",), "models_on": False}, (), Reason.FLAG_OFF),
        ({"engines": ("jev",), "file": DENIED}, (), Reason.THIRD_PARTY_DENIED),
        # A flag that is off is what the caller is told, whatever the data policy says.
        ({"flag_on": False, "engines": MORPH, "asked": DENIED}, (), Reason.FLAG_OFF),
    ],
    ids=str,
)
def test_engines_that_the_flag_or_the_owner_forbids_are_not_asked(given, names, reason):
    assert in_force(**given) == (names, reason)


def test_morph_is_in_force_only_with_flag_data_policy_and_organisation_agreeing():
    for flag_on, asked, file, org, orgs in itertools.product(
        (True, False), DataPolicy, (ALLOWED, DENIED), (None, "org"), (LOCAL_ONLY, OPEN)
    ):
        names, _ = in_force(flag_on=flag_on, asked=asked, file=file, org=org, orgs=orgs)
        effective = file if asked is UNSPECIFIED else asked
        allowed = flag_on and effective is ALLOWED and (org is None or orgs is OPEN)
        assert ("morph" in names) is allowed
        assert "local" in names


@pytest.mark.parametrize(
    ("engine", "given", "allowed"),
    [
        ("jev", {}, True),
        ("jev", {"on": False}, False),
        ("ours", {"on": False}, False),
        ("jev", {"asked": DENIED}, False),
        ("ours", {"asked": DENIED}, True),
        ("jev", {"org": "org"}, False),
        ("ours", {"org": "org"}, True),
        ("jev", {"org": "org", "orgs": OPEN}, True),
        ("ours", {"org": "org", "orgs": Organizations.EXCLUDED}, False),
    ],
    ids=str,
)
def test_a_classifier_obeys_what_an_engine_obeys(engine, given, allowed):
    asked = request(
        data_policy=given.get("asked", UNSPECIFIED),
        caller=caller(organization_id=given.get("org")),
    )
    file = rules(organizations=given.get("orgs", LOCAL_ONLY), decision_models=MODELS)
    switches = SwitchValues(decision_model_enabled=given.get("on", True))
    assert may_classify(engine, asked, rules=file, switches=switches) is allowed
