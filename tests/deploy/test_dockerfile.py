"""The image's recipe, before anybody builds it; tests/container has what holds of the image."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.machine import program

ROOT = Path(__file__).parents[2]
LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
COMMANDS = [line.split(maxsplit=1) for line in LINES if line and line[0].isupper()]


def test_hadolint_finds_nothing():
    done = subprocess.run(
        [program("hadolint"), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_install_is_of_locked_hashes_or_of_the_wheel_that_was_just_built():
    installs = [text for word, text in COMMANDS if word == "RUN" and " install " in text]
    assert installs
    for command in (each for text in installs for each in text.split("&&")):
        if " install " in command:
            assert "--require-hashes -r requirements/" in command or "--no-index" in command


@pytest.mark.parametrize("word", ["CMD", "ENTRYPOINT"])
def test_it_starts_without_a_shell(word: str):
    assert [text[0] for found, text in COMMANDS if found == word] == ["["]


def test_its_health_check_needs_no_shell_and_no_other_program():
    (check,) = [text for word, text in COMMANDS if word == "HEALTHCHECK"]
    assert check.endswith('CMD ["pointsman", "health", "--address", "127.0.0.1:50052"]')


def test_its_last_user_is_a_number_that_is_not_root():
    *_, user = [text for word, text in COMMANDS if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes can check numbers only"
