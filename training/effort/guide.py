"""The guide of a student: the mixed logits of two teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from training.effort.encoder import MiniLM
from training.effort.material import Material
from training.effort.multilingual import Heads, HeadsRecipe, heads_logits, train_heads
from training.effort.teaching import TeacherRecipe, fine_tune, predict

Floats = NDArray[np.float32]

MINILM_SHARE: Final = (*[0.45] * 4, *[0.5] * 5, 0.25, 0.4)
"""The weight of MiniLM's logits in the guide's, for each output."""
LAYERS: Final = 6
HEADS: Final = 3
"""Heads that are trained from different seeds; their mean errs less than one of them."""
MINILM: Final = TeacherRecipe(epochs=1.6, rate=1.2e-4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """Two teachers: an encoder of English, and several heads over one of many languages."""

    minilm: MiniLM
    heads: Sequence[Heads]

    def logits(self, texts: Sequence[str], known: Floats) -> Floats:
        """The mixed logits of texts, whose features are `known`."""
        share = np.array(MINILM_SHARE, np.float32)
        mixed: Floats = share * predict(self.minilm, texts)
        mixed += (1 - share) * np.mean([heads_logits(each, known) for each in self.heads], axis=0)
        return mixed


def guide_of(found: Material, fold: int, *, work: Path) -> Guide:
    """Both teachers, trained without `fold`."""
    kept = found.kept(fold)
    known = found.featured([row.text for row in kept])
    recipes = [HeadsRecipe(seed=seed) for seed in range(HEADS)]
    heads = [train_heads(kept, known, recipe=recipe) for recipe in recipes]
    return Guide(minilm=minilm(found, fold, work=work), heads=heads)


def minilm(found: Material, fold: int, *, work: Path) -> MiniLM:
    """MiniLM fine-tuned without `fold`; taken from `work` where it was finished."""
    path, model = work / f"minilm{fold}.pt", MiniLM(layers=LAYERS)
    if path.exists():
        model.load_state_dict(torch.load(path))
        return model.eval()
    model.load()
    fine_tune(model, found.kept(fold), recipe=MINILM)
    torch.save(model.state_dict(), path)
    return model
