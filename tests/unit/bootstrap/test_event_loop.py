"""Which event loop a server runs on."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop
from pointsman_server.bootstrap import event_loop as loop


def ran_on(name):
    found = []

    async def work():
        found.append(asyncio.get_running_loop())

    loop.run(work(), loop=name)
    return found[0]


@pytest.mark.parametrize("name", ["auto", "uvloop"])
def test_uvloop_where_it_is_installed(name):
    assert isinstance(ran_on(name), uvloop.Loop)


def test_asyncios_own_where_that_is_asked_for():
    assert not isinstance(ran_on("asyncio"), uvloop.Loop)


def test_asyncios_own_where_there_is_no_other(monkeypatch):
    monkeypatch.setattr(loop.importlib.util, "find_spec", lambda _: None)
    assert not isinstance(ran_on("auto"), uvloop.Loop)


def test_uvloop_by_name_must_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ModuleNotFoundError):
        ran_on("uvloop")
