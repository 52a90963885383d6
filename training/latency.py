"""Measure the time of one decision beside a bare control: `python -m training.latency`.

The control lower-cases the prompt, splits it and counts its words in a dictionary: the
minimum of any word-based router. Run it on one core (`taskset -c 1`). Medians and 95th
percentiles in milliseconds; also size, import and load of the artefact.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pointsman_server.core.model import PROMPT_CODE_POINTS, EngineQuery
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local import artefact as files

from training.metamorphic import CANDIDATES, RULES, prompts

ROUNDS = 2_000
WORDS = (10, 50, 100, 150)


def text_of(words: int) -> str:
    """A prompt of so many different words, as the service would cut it."""
    stock = " ".join(prompts()).split()
    return " ".join(stock[at % len(stock)] for at in range(7, 7 + words))[:PROMPT_CODE_POINTS]


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        call()
        found.append(time.perf_counter_ns() - start)
    found.sort()
    return found[ROUNDS // 2] / 1e6, found[ROUNDS * 95 // 100] / 1e6


def control(text: str) -> dict[str, int]:
    """Count the words of `text`."""
    counts: dict[str, int] = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def fresh(code: str) -> float:
    """Milliseconds that `code` takes in a new interpreter, by its own clock; the best of five."""
    script = (
        f"import time\nt = time.perf_counter()\n{code}\nprint((time.perf_counter() - t) * 1e3)\n"
    )
    runs = [
        float(
            subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        )
        for _ in range(5)
    ]
    return min(runs)


def main() -> None:
    """The command."""
    engine = LocalEngine.load(RULES)
    policy = "balanced"
    print(f"{'words':>6s}{'control':>18s}{'engine, 3 models':>22s}")
    for words in WORDS:
        text = text_of(words)
        query = EngineQuery(
            prompt=text, candidates=CANDIDATES, policy=policy, default=CANDIDATES[0]
        )
        bare = timed(partial(control, text))
        full = timed(partial(engine.judge, query))
        print(f"{words:6d}{bare[0]:10.4f} /{bare[1]:6.4f}{full[0]:14.4f} /{full[1]:6.4f}")
    size = Path(files.__file__).with_name(files.SHIPPED).stat().st_size
    print(f"artefact: {size:,} bytes")
    print(f"import numpy: {fresh('import numpy'):.0f} ms")
    imported = "from pointsman_server.engines.local import artefact, engine"
    print(f"import numpy and the engine: {fresh(imported):.0f} ms")
    loaded = f"{imported}\nartefact.load()"
    print(f"import and load: {fresh(loaded):.0f} ms")


if __name__ == "__main__":
    main()
