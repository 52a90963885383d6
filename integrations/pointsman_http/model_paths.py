"""Clients of platforms that name the model in the path: Azure OpenAI, Vertex AI, Amazon Bedrock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

_MESSAGES = "/v1/messages"
_COUNT = re.compile(r"/publishers/anthropic/models/count-tokens:rawPredict")
_OPERATION = (
    r"(?:(?:extensions/)?chat/completions|completions|embeddings|responses"
    r"|images/(?:generations|edits)|audio/(?:speech|transcriptions|translations))"
)
_FORMS = (
    (re.compile(rf"(.*/openai/deployments/)([^?]+?)(/{_OPERATION}/?(?:\?.*)?)"), None),
    (re.compile(r"(.*/openai/deployments/)([^/?]+)(/.*)"), None),
    (
        re.compile(
            r"(.*/publishers/anthropic/models/)((?!count-tokens:)[^?]+?)(:(?:streamR|r)awPredict.*)"
        ),
        _MESSAGES,
    ),
    (re.compile(r"(.*/model/)([^?]+?)(/invoke(?:-with-response-stream)?(?:\?.*)?)"), _MESSAGES),
)
"""Before the model, the model, the rest; and the path of the API, where the path names none.

Some SDKs leave the slashes of a model as they are, so that a model may have several segments.
"""


@dataclass(frozen=True, slots=True)
class ModelPath:
    """A path, as it is sent, in three parts. `api` is the path of the API that it stands for."""

    before: str
    model: str
    after: str
    api: str

    def with_model(self, model: str) -> str:
        """Return the path with another model."""
        # `:` and `@` are in the ids of Bedrock and of Vertex, whose SDKs leave them as they are.
        return f"{self.before}{quote(model, safe=':@')}{self.after}"


def model_path_of(raw: str) -> ModelPath | None:
    """Read a path with its query; `None` for one that names no model."""
    for form, api in _FORMS:
        found = form.fullmatch(raw)
        if found is not None:
            before, model, after = found.groups()
            return ModelPath(before, unquote(model), after, api or raw.partition("?")[0])
    return None


def api_path_of(path: str) -> str:
    """Return the path of Anthropic's API that one of Vertex AI stands for, else the path itself."""
    return f"{_MESSAGES}/count_tokens" if _COUNT.search(path) else path


def refuse_unsupported(client: Any) -> None:
    """Raise `TypeError` for a client whose requests cannot be given another model on their way."""
    name = type(client).__name__
    classes = [each.__name__ for each in type(client).__mro__]
    signs = any("Bedrock" in each or each.endswith("AWS") for each in classes)
    instead = "call `routing.decide(...)` and pass the `model` of its choice to the SDK"
    if signs and not getattr(client, "api_key", None):
        raise TypeError(
            f"{name} signs each request together with its model, before it is sent: give it an"
            f" `api_key` (a Bedrock API key, which needs no signature), or {instead}"
        )
    if "/deployments/" in str(getattr(client, "base_url", "")):
        raise TypeError(
            f"{name} with `azure_deployment` calls that deployment whatever the model: leave it"
            f" out, and name a deployment for each model in `models`; or {instead}"
        )
