"""Explanations that the commands print, of failed calls and of requests without a decision."""

from __future__ import annotations

from pointsman_client.results import DropReason, Reason

_NO_CONNECTION = (
    "Connection refused",
    "Domain name not found",
    "Network is unreachable",
    "No route to host",
    "No such file or directory",
)
"""Reasons that gRPC puts at the end of a long message."""
_MISMATCHES = (
    ("Failed parsing HTTP/2", "does not speak gRPC: give the gRPC address, {default} by default"),
    ("WRONG_VERSION_NUMBER", "does not use TLS: leave out --tls, --ca, --cert and --server-name"),
    ("CERTIFICATE_VERIFY_FAILED", "has a certificate that is not trusted: give its CA with --ca"),
    ("security handshaker", "cannot be called: --ca, --cert or --key is not a valid PEM file"),
    ("Socket closed", "closed the connection: if it uses TLS, give --tls or --ca"),
)
"""Parts of gRPC's messages, and what they mean for the address."""
_REASONS = {
    Reason.FLAG_OFF: "the flags of all remote engines are off, and no engine is embedded",
    Reason.MODE_OFF: "the policy file has `mode: off`",
    Reason.UNKNOWN_TIER: "the policy file has no such tier: see `pointsman describe`",
    Reason.NO_PROMPT: "the prompt is empty",
    Reason.INSUFFICIENT_CANDIDATES: "fewer than two candidates are left to decide between",
    Reason.ENGINES_FAILED: "no engine answered",
    Reason.THIRD_PARTY_DENIED: "the prompt may not leave the process, and no engine is embedded",
    Reason.AMBIGUOUS: "the prompt is too ambiguous to size, and the conversation is new",
    Reason.CONCRETE_MODEL_REQUESTED: "the client requested a model, which no decision overrides",
    Reason.NO_TASK: "the prompt holds no task (a greeting, for example); the conversation is new",
    Reason.PROVIDER_FENCE: "the provider of the conversation has no candidate",
    Reason.ORGANIZATION_EXCLUDED: "the policy file leaves requests of organisations untouched",
}
_DROPPED = {
    DropReason.UNMAPPED: "not in the policy file's catalog, or without a router_id",
    DropReason.DUPLICATE: "another candidate has the same router_id",
    DropReason.VIRTUAL: "the name of a tier, not of a model",
    DropReason.EXPERIMENTAL: "the catalog marks it as experimental",
}


def reason_text(reason: Reason) -> str | None:
    """Explain why no decision serves; `None` for a reason that this version does not know."""
    return _REASONS.get(reason)


def dropped_text(reason: DropReason) -> str:
    """The reason why a candidate was dropped, with an explanation where the name needs one."""
    explained = _DROPPED.get(reason)
    return f"{reason.value} ({explained})" if explained else reason.value


def unreached_text(said: str, *, address: str, variable: str, default: str) -> str:
    """Explain a failed call, and say what to do; `said` is gRPC's message."""
    for part, meaning in _MISMATCHES:
        if part in said:
            return f"the service at {address} {meaning.format(default=default)}"
    why = next((reason.lower() for reason in _NO_CONNECTION if reason in said), None)
    if why is None:
        return f"{said} (at {address}; start one with: pointsman serve)"
    return (
        f"no service at {address}: {why}: start one with `pointsman serve`, or name another"
        f" with --address or {variable}"
    )
