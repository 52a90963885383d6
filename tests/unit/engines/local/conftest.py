from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pointsman_server.core.model import CatalogModel
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine

# The training scripts are no part of any wheel; their folder is found beside the tests.
ROOT = Path(__file__).parents[4]
sys.path.append(str(ROOT))


@pytest.fixture(scope="session")
def rules() -> LocalRules:
    return LocalRules(
        quality_loss={
            "capability_heavy": 0.02,
            "balanced": 0.05,
            "cost_efficient": 0.10,
            "domain_skills": 0.0,
        }
    )


@pytest.fixture(scope="session")
def engine(rules: LocalRules) -> LocalEngine:
    return LocalEngine.load(rules)


@pytest.fixture(scope="session")
def pool() -> tuple[CatalogModel, ...]:
    return tuple(
        CatalogModel(
            public_id=f"example/{name}",
            router_id=name,
            input_price=price,
            output_price=5 * price,
            score=score,
        )
        for name, price, score in (
            ("large", 5.0, 0.90),
            ("medium", 1.0, 0.80),
            ("small", 0.1, 0.60),
        )
    )


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = os.environ.get("POINTSMAN_DATA")
    if not folder:
        pytest.skip("POINTSMAN_DATA names no folder: THE QUALITY GATES WERE NOT RUN")
    return Path(folder)
