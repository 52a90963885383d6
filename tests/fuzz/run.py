"""Looks for inputs that a reader trips over (`make fuzz`); needs Atheris.

    make fuzz                        a minute for each target
    make fuzz SECONDS=600 TARGETS=policy
    make fuzz SLOWEST=60             on a busy machine

Each target has a process of its own. Inputs that reach new code are kept in `build/fuzz/TARGET`
and gone on from next time. What one trips over, takes longer than `SLOWEST` seconds for or more
memory than `MOST_MEGABYTES` is written to `build/fuzz/found` and ends the run with 1. Once it is
mended, move it to `tests/fuzz/corpus/TARGET`.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
BUILD = Path("build/fuzz")
SLOWEST = 10
"""Seconds for one input, instrumented. They are seconds of a clock: a busy machine needs more."""
MOST_MEGABYTES = 1_024
READERS = ["pointsman_server", "pointsman_client", "pointsman_extproc", "yaml"]
"""What is instrumented: new code reached there makes an input worth keeping."""


def main(names: list[str], *, seconds: int, slowest: int) -> int:
    """Fuzz every target, one after the other; 1 where something was found."""
    from fuzz.targets import TARGETS

    unknown = set(names) - set(TARGETS)
    if unknown:
        print(f"no such target: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    found = []
    for name in names or TARGETS:
        print(f"=== {name}", flush=True)
        command = [sys.executable, "-m", "fuzz.run", "--inside", name]
        command += ["--seconds", str(seconds), "--slowest", str(slowest)]
        if subprocess.run(command, check=False).returncode != 0:
            found.append(name)
    print(f"tripped: {', '.join(found)}; see build/fuzz/found" if found else "found nothing")
    return 1 if found else 0


def inside(name: str, *, seconds: int, slowest: int) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=READERS, enable_loader_override=False):
        from fuzz.targets import TARGETS
    # What readers say to an operator of each input would drown what libFuzzer says.
    logging.disable()
    target = TARGETS[name]
    kept, seeds, found = BUILD / name, BUILD / "seeds" / name, BUILD / "found"
    for folder in (kept, seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / str(number)).write_bytes(seed)
    regressions = [CORPUS / name] if (CORPUS / name).is_dir() else []
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={target.longest}",
        f"-timeout={slowest}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={found}/{name}-",
        "-print_final_stats=1",
        *map(str, [kept, seeds, *regressions]),
    ]
    with target.opened() as read:
        atheris.Setup(arguments, read)
        atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--slowest", type=int, default=SLOWEST, help="seconds for one input")
    parser.add_argument("--inside", help="(internal) fuzz this target in this process")
    given = parser.parse_args()
    if given.inside:
        inside(given.inside, seconds=given.seconds, slowest=given.slowest)
    sys.exit(main(given.targets, seconds=given.seconds, slowest=given.slowest))
