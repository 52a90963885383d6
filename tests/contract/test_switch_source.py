"""What every `SwitchSource` keeps."""

from __future__ import annotations

import pytest
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.flags import EnvironmentSource, FirstOf, PolicyFileSource, RedisSource
from support.fakes import ScriptedSource

NAME = "morph_router_enabled"


def environment(texts):
    return EnvironmentSource({f"POINTSMAN_{name.upper()}": t for name, t in texts.items()})


def redis(texts):
    """A stored text that is an exception is what the store raises."""

    async def text(name):
        stored = texts.get(name)
        if isinstance(stored, Exception):
            raise stored
        return stored

    return RedisSource(text)


SOURCES = {
    "environment": environment,
    "policy file": PolicyFileSource,
    "first of one": lambda texts: FirstOf([PolicyFileSource(texts)]),
    "first of two": lambda texts: FirstOf([environment({}), PolicyFileSource(texts)]),
    "redis": redis,
    "fake": ScriptedSource,
}
each_source = pytest.mark.parametrize("build", SOURCES.values(), ids=list(SOURCES))


@each_source
async def test_an_unset_switch_is_none(build):
    assert await build({}).read(NAME) is None
    assert await build({"another_switch": "true"}).read(NAME) is None


@each_source
@pytest.mark.parametrize("text", ["true", " true\n", "", "TRUE", "0.5", "é\u2028"])
async def test_a_switchs_text_is_given_as_it_stands(build, text):
    assert await build({NAME: text, "another_switch": "x"}).read(NAME) == text


@each_source
async def test_reading_twice_gives_the_same(build):
    source = build({NAME: "true"})
    assert [await source.read(NAME) for _ in range(2)] == ["true", "true"]


OURS, FOREIGN = SourceUnreadable("down"), ConnectionError("redis://:canary@host")


@pytest.mark.parametrize(
    ("build", "error"),
    [(ScriptedSource, OURS), (redis, OURS), (redis, FOREIGN)],
    ids=["fake", "redis", "redis in its own words"],
)
@pytest.mark.parametrize("first_of", [False, True], ids=["alone", "first of two"])
async def test_a_source_that_cannot_be_read_says_so_in_no_words_of_its_store(
    build, error, first_of
):
    source = build({NAME: error})
    if first_of:
        source = FirstOf([source, PolicyFileSource({NAME: "true"})])
    with pytest.raises(SourceUnreadable) as caught:
        await source.read(NAME)
    assert "canary" not in str(caught.value)
