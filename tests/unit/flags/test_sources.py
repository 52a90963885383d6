"""Where switches are read from, and who decides when several know one."""

from __future__ import annotations

import pytest
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.flags import EnvironmentSource, FirstOf, PolicyFileSource
from support.fakes import ScriptedSource

NAME = "morph_router_enabled"
DOWN = {NAME: SourceUnreadable("down")}


async def test_the_environments_variable_is_named_after_the_switch():
    source = EnvironmentSource({"POINTSMAN_MORPH_ROUTER_ENABLED": " true ", NAME: "wrong"})
    assert await source.read(NAME) == " true "
    assert await source.read("decision_log_sample_rate") is None


async def test_the_environment_is_read_each_time():
    environment = {}
    source = EnvironmentSource(environment)
    assert await source.read(NAME) is None
    environment["POINTSMAN_MORPH_ROUTER_ENABLED"] = "true"
    assert await source.read(NAME) == "true"


async def test_the_policy_files_values_are_read_by_name():
    assert await PolicyFileSource({NAME: "true"}).read(NAME) == "true"
    assert await PolicyFileSource({}).read(NAME) is None


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([{}, {}], None),
        ([{NAME: "true"}, {NAME: "false"}], "true"),
        ([{}, {NAME: "true"}], "true"),
        # Set to nothing is not unset.
        ([{NAME: ""}, {NAME: "true"}], ""),
        ([{NAME: "true"}, DOWN], "true"),
        ([], None),
    ],
    ids=str,
)
async def test_the_first_source_that_knows_a_switch_decides_it(texts, found):
    assert await FirstOf([ScriptedSource(t) for t in texts]).read(NAME) == found


async def test_a_source_that_cannot_be_read_ends_the_search():
    """It may have said "off", so nobody after it may say "on"."""
    last = ScriptedSource({NAME: "true"})
    with pytest.raises(SourceUnreadable):
        await FirstOf([ScriptedSource(), ScriptedSource(DOWN), last]).read(NAME)
    assert last.reads == []
