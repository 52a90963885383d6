"""Sources of an artefact for its header: each set with its licence and share."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from training.samples import Samples

LICENCES: Final = {
    "mmlu": "Apache-2.0 (RouteLLM); questions MIT",
    "gsm8k": "Apache-2.0 (RouteLLM); questions MIT",
    "mmlu_pro": "Apache-2.0; questions MIT",
    "llm_router": "MIT",
    "arena_hard_v2": "Apache-2.0",
    "sql_eval": "Apache-2.0",
    "spider2": "MIT",
    "infiagent": "Apache-2.0",
    "prompts_chat": "CC0-1.0",
    "clinc150": "CC-BY-3.0",
    "t0": "Apache-2.0",
    "self_instruct_seeds": "Apache-2.0",
    "leetcode": "MIT; problem texts LeetCode's",
    "swebench_lite": "MIT",
    "web_bench": "Apache-2.0",
    "gpteacher": "MIT; written by GPT-4",
    "in3": "Apache-2.0; written by GPT-4",
    "seeds": "Apache-2.0; written for this project",
}


def record(found: Samples) -> list[dict[str, Any]]:
    """One entry for each set, the largest first. Raises `KeyError` for a set without licence."""
    counts = Counter({name: len(table) for name, table in found.train.items()})
    counts.update(request.source for request in found.requests)
    total = sum(counts.values())
    return [
        {
            "set": name,
            "licence": LICENCES[name],
            "prompts": count,
            "share": round(count / total, 4),
        }
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
