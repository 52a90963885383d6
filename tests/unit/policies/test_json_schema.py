from __future__ import annotations

import json
from typing import Any

from pointsman_server.core.model import DataPolicy, Modality, Mode, Stickiness
from pointsman_server.policies.schema import json_schema
from pointsman_server.policies.sections.document import PolicyDocument


def schema_of_the_file() -> dict[str, Any]:
    return json_schema()


def sections() -> list[dict[str, Any]]:
    schema = schema_of_the_file()
    return [schema, *schema["$defs"].values()]


def test_it_is_json_with_its_dialect() -> None:
    assert json.loads(json.dumps(json_schema()))["$schema"].startswith("https://json-schema.org/")


def test_every_section_is_closed_to_unknown_keys() -> None:
    assert [s for s in sections() if s.get("additionalProperties") is not False] == []


def test_every_key_is_described() -> None:
    undescribed = [
        key
        for section in sections()
        for key, value in section["properties"].items()
        if not value.get("description")
    ]

    assert undescribed == []


def test_bounds_and_choices_are_in_it() -> None:
    schema = schema_of_the_file()

    assert schema["properties"]["mode"]["enum"] == ["off", "shadow", "serve"]
    assert schema["properties"]["serve_percent"]["maximum"] == 100
    assert schema["anyOf"] == [{"required": ["tiers", "catalog"]}, {"required": ["llm"]}]
    assert schema["$defs"]["CacheSection"]["properties"]["ttl"]["anyOf"][0]["maximum"] == 604_800.0
    assert schema["$defs"]["EnginesSection"]["properties"]["order"]["minItems"] == 1


def test_every_choice_of_the_schema_is_one_that_the_core_knows() -> None:
    schema = schema_of_the_file()
    top, model = schema["properties"], schema["$defs"]["ModelSection"]["properties"]

    assert set(top["mode"]["enum"]) == set(Mode)
    assert set(top["stickiness"]["enum"]) == set(Stickiness)
    assert set(top["data_policy"]["enum"]) == set(DataPolicy) - {DataPolicy.UNSPECIFIED}
    assert set(model["inputs"]["anyOf"][0]["items"]["enum"]) == set(Modality)


def test_the_schema_is_that_of_the_document() -> None:
    assert set(schema_of_the_file()["properties"]) == set(PolicyDocument.model_fields)
