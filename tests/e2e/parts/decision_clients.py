"""The official clients of both formats against a decision model. Prints what they got, as JSON.

Arguments: the endpoint's URL, its key, a file with the requests that engine `decision_model` sends.
Runs with the packages of requirements/sdks.txt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import openai
import typesafe_sdk
from openai.types.decision_create_params import DecisionCreateParams
from pydantic import ConfigDict, TypeAdapter, with_config
from typesafe_sdk import Choice, Noul, RetryPolicy, Score, TypeSafeClient
from typesafe_sdk._schemas.models import SystemOneRequest

QUESTIONS = {"noul": Noul, "choice": Choice, "score": Score}


def main(url: str, key: str, file: str) -> dict[str, Any]:
    requests = json.loads(Path(file).read_text())
    found: dict[str, Any] = {}
    strict = with_config(ConfigDict(extra="forbid"))(DecisionCreateParams)
    for kind, given in requests.items():
        TypeAdapter(strict).validate_python(given["decisions"])
        SystemOneRequest.model_validate(given["systemone"])
        found[kind] = {"openai": _openai(url, key, given), "typesafe": _typesafe(url, key, given)}
    found["errors"] = _errors(url)
    return found


def _openai(url: str, key: str, given: dict[str, Any]) -> dict[str, Any]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        decision = client.decisions.create(**given["decisions"])
    return {answer.name or "": answer.model_dump() for answer in decision.answers}


def _typesafe(url: str, key: str, given: dict[str, Any]) -> dict[str, Any]:
    asked = given["systemone"]
    questions = {
        name: QUESTIONS[question["type"]](
            instructions=question["instructions"], criteria=question["criteria"]
        )
        for name, question in asked["questions"].items()
    }
    once = RetryPolicy(max_retries=0)
    with TypeSafeClient(api_key=key, base_url=url, retry=once) as client:
        response = client.system_one(
            state=asked["state"], questions=questions, model=asked["model"]
        )
    return {name: answer.model_dump() for name, answer in response.answers.items()}


def _errors(url: str) -> dict[str, str]:
    found = {}
    try:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as client:
            client.decisions.create(model="m", input="x", questions=[])
    except openai.APIStatusError as error:
        found["openai"] = f"{error.status_code} {error.body['code']}"  # type: ignore[index]
    try:
        once = RetryPolicy(max_retries=0)
        with TypeSafeClient(api_key="wrong", base_url=url, retry=once) as client:
            client.system_one(state="x", questions={"q": Noul(instructions="x")})
    except typesafe_sdk.TypeSafeAPIError as error:
        found["typesafe"] = f"{error.status} {error.body['error']['code']}"
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201  (read by the test)
