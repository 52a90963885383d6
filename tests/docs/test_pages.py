"""Every page: its commands run, its Python runs, its policy snippets are policy files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from docs.parts.blocks import PageFault
from docs.parts.page_run import ROOT, PageRun

PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
)


async def ran(text: str, folder: Path) -> None:
    async with contextlib.aclosing(PageRun(folder=folder)) as page:
        await page.run(text)


@pytest.mark.parametrize("page", PAGES)
async def test_every_block_of_the_page_holds(page: str, tmp_path: Path) -> None:
    await ran((ROOT / page).read_text(encoding="utf-8"), tmp_path)


FAULTS = {
    "a command that fails": "```sh\nfalse\n```",
    "a command that fails before one that does not": "```sh\nfalse\ntrue\n```",
    "a command that prints something else": "```console\n$ echo one\ntwo\n```",
    "a policy snippet with problems": "```yaml\nmode: on\n```",
    "a policy snippet that is said to have problems": "<!-- refused -->\n```yaml\nmode: off\n```",
    "a policy file that does not serve": (
        "<!-- file: p.yaml\n```text\nmode: on\n```\n-->\n"
        "```sh\npointsman serve --policy-file p.yaml\n```"
    ),
    "Python that does not run": "```python\nimport no_such_module\n```",
    "Python that asks for too much": "```python\nassert 1 + 1 == 3\n```",
    "JSON that is none": "```json\n{\n```",
    "a request with a field that there is not": (
        '<!-- message: pointsman.v1.RouteDecisionRequest -->\n```json\n{"promt": {}}\n```'
    ),
    "a fence without a language": "```\nmake\n```",
    "a block that is no fence": "words\n\n    make train\n",
    "a mark with a typing mistake": "<!-- not ran: no key -->\n```sh\ntrue\n```",
    "a mark without a reason": "<!-- not run: -->\n```sh\ntrue\n```",
    "a file that is said to run it and is not there": "<!-- run by: nobody -->\n```sh\ntrue\n```",
    "a hidden block that fails": "<!--\n```sh\nfalse\n```\n-->",
    "a command that would change the machine": "```sh\npip install pointsman\n```",
    "a mark of no fence": "<!-- not run: why -->\n\nwords\n",
}  # fmt: skip


@pytest.mark.parametrize("page", FAULTS.values(), ids=FAULTS)
async def test_a_page_that_does_not_hold_is_told_with_its_line(page: str, tmp_path: Path) -> None:
    with pytest.raises(PageFault, match=r"^line \d+: "):
        await ran(page, tmp_path)


HOLDS = {
    "what is marked is not run": "<!-- not run: needs Docker -->\n```sh\nfalse\n```",
    "exports hold in later blocks": "```sh\nexport A=b\n```\n\n```sh\n[ $A = b ]\n```",
    "exports hold in Python": (
        '```sh\nexport A=b\n```\n\n```python\nimport os\nassert os.environ["A"] == "b"\n```'
    ),
    "names hold in later blocks": "```python\na = 1\n```\n\n```python\nassert a == 1\n```",
    "an ellipsis stands for any text": "```console\n$ echo one two three\none … three\n```",
    "a status that is said": "<!-- exits: 3 -->\n```sh\nexit 3\n```",
    "a fence in a list": "* words\n\n  ```sh\n  true\n  ```\n",
    "problems that are shown": (
        "<!-- refused -->\n```yaml\nmode: on\n```\n\n```text\n"
        "mode: must be one of `off`, `shadow`, `serve`\n```"
    ),
}


@pytest.mark.parametrize("page", HOLDS.values(), ids=HOLDS)
async def test_a_page_that_holds_is_left_alone(page: str, tmp_path: Path) -> None:
    await ran(page, tmp_path)
