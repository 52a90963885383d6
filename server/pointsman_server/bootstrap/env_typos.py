"""Find unknown variables: a misspelt setting must not leave the service open."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from pointsman_server.core.errors import SettingInvalid
from pointsman_server.flags.switches import (
    DECISION_LOG_SAMPLE_RATE,
    DECISION_MODEL_ENABLED,
    MORPH_ROUTER_ENABLED,
)
from pointsman_server.policies.overrides import PREFIX as OVER_THE_POLICY_FILE
from pointsman_server.policies.pydantic_errors import leaves
from pointsman_server.policies.sections.document import PolicyDocument
from pointsman_server.settings import PREFIX, Settings
from pointsman_server.supervisor.protocol import VARIABLE as WORKER_LINE

CLOSE = 0.7
"""From this similarity on (difflib's, 0 to 1) an unknown name is taken for a misspelt one."""
NEIGHBOURS = frozenset({"POINTSMAN_ADDRESS", "POINTSMAN_EXT_PROC_LISTEN", "POINTSMAN_HTTP"})
"""Read by the clients and the external processor, which may share an environment with the
service. The example gateways' TLS variables are not here: so spelt, an operator meant ours."""

_SWITCHES = (MORPH_ROUTER_ENABLED, DECISION_MODEL_ENABLED, DECISION_LOG_SAMPLE_RATE)
_KNOWN = tuple(name.upper() for name in (*Settings.model_fields, *_SWITCHES))
"""Without their prefix, which all have in common."""
_POLICY_KEYS = tuple(leaves(PolicyDocument))
"""Paths of the policy file's keys."""
_ADDRESS_OF_A_SERVICE = re.compile(
    r"POINTSMAN(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_URL_OF_A_SERVICE = re.compile(r"POINTSMAN(_\w+)?_PORT")
"""Kubernetes tells a pod of every service of its namespace, and one may be named `pointsman`:
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables"""

_log = logging.getLogger(__name__)


def check_names(environment: Mapping[str, str], *, also: Collection[str]) -> None:
    """Refuse a name that is nearly a setting's, and warn about others that are nobody's.

    `also` are variables that the policy file names. Values are not looked at beyond telling a
    service's URL: they may be secrets. Raises `SettingInvalid` for the first misspelt name.
    """
    known = {*(PREFIX + name for name in _KNOWN), *NEIGHBOURS, WORKER_LINE, *also}
    unknown = sorted(
        name
        for name, value in environment.items()
        # Settings are read in any case.
        if name.upper().startswith(PREFIX)
        and not {name, name.upper()} & known
        and not name.startswith(OVER_THE_POLICY_FILE)
        and not _is_of_a_service(name, value)
    )
    for name in unknown:
        upper = name.upper()
        meant = _policy_key(upper, whole=True) or _meant(upper) or _policy_key(upper, whole=False)
        if meant:
            why = f"no setting has this name: did you mean {' or '.join(meant)}?"
            raise SettingInvalid(name, why)
    if unknown:
        _log.warning("unknown environment variables: %s", ", ".join(unknown))


def _is_of_a_service(name: str, value: str) -> bool:
    if _ADDRESS_OF_A_SERVICE.fullmatch(name):
        return True
    return "://" in value and _URL_OF_A_SERVICE.fullmatch(name) is not None


def _policy_key(name: str, *, whole: bool) -> list[str]:
    """Find the variable of the policy file's key of this name; without `whole`, of its end."""
    rest = name.removeprefix(PREFIX).removeprefix("POLICY_")
    first = 0 if whole else 1
    found = [path for path in _POLICY_KEYS if "_".join(path[first:]).upper() == rest]
    if len(found) != 1 or not (whole or "_" in rest):
        return []
    return [OVER_THE_POLICY_FILE + "__".join(found[0]).upper()]


def _meant(name: str) -> list[str]:
    """The setting most like it, and the first that has all of its words: one word at its start."""
    rest = name.removeprefix(PREFIX)
    words = set(rest.split("_"))
    close = get_close_matches(rest, _KNOWN, n=1, cutoff=CLOSE)
    longer = [
        known
        for known in _KNOWN
        if known.startswith(f"{rest}_") or (len(words) > 1 and words <= set(known.split("_")))
    ]
    return [PREFIX + found for found in dict.fromkeys((*close, *longer[:1]))]
