"""docs/ext-proc.md says what there is, and its commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml
from pointsman_extproc.answers import MODEL_HEADER, WHY_HEADER
from pointsman_extproc.arguments import parser_of, settings_from
from pointsman_extproc.listen import Listen
from pointsman_extproc.verdict import Passed

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "ext-proc.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "deploy" / "envoy" / "ext_proc.yaml").read_text(encoding="utf-8")
COMMAND = re.compile(r"^(?:#   )?pointsman ext-proc (.*)$", re.MULTILINE)


def test_the_table_of_settings_names_every_flag() -> None:
    table = PAGE.partition("## Settings")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `--")]
    named = {flag for row in rows for flag in re.findall(r"--[a-z-]+", row)}
    flags = {each for action in parser_of()._actions for each in action.option_strings}
    assert named == flags - {"-h", "--help"}


def test_every_word_for_a_request_that_passes_is_explained() -> None:
    table = PAGE.partition("## Metrics and traces")[2].partition("## Settings")[0]
    assert {str(each) for each in Passed} <= set(re.findall(r"`([a-z_]+)`", table))


def test_the_commands_of_the_page_and_of_the_example_are_commands() -> None:
    commands = COMMAND.findall(PAGE + EXAMPLE.replace("\\\n#     ", ""))
    assert len(commands) == 2
    for command in commands:
        arguments = parser_of().parse_args(shlex.split(command))
        settings = settings_from(arguments)
        assert settings.serves
        assert settings.tiers == {"kilo-auto/frontier": "anthropic/claude-sonnet-4.6"}
        assert Listen.from_arguments(arguments).address == "127.0.0.1:50151"


def test_the_example_agrees_with_the_processor() -> None:
    arguments = parser_of().parse_args(shlex.split(COMMAND.findall(PAGE)[0]))
    document = yaml.safe_load(EXAMPLE)["static_resources"]
    [listener] = document["listeners"]
    assert listener["per_connection_buffer_limit_bytes"] >= arguments.max_body_bytes
    connections = listener["filter_chains"][0]["filters"][0]["typed_config"]
    processor = connections["http_filters"][0]["typed_config"]
    assert float(processor["message_timeout"].removesuffix("s")) > arguments.timeout
    assert processor["failure_mode_allow"]
    assert processor["allow_mode_override"]
    [early] = connections["early_header_mutation_extensions"]
    removed = {each["remove"] for each in early["typed_config"]["mutations"]}
    assert removed == {MODEL_HEADER, WHY_HEADER}
