"""How well towers retrieve within one part of the split: loss, MRR and HitRate@5."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from text2image.base.arrays import Floats, Integers
from text2image.evaluation.measures import MRR, Measure, of_best_ranks
from text2image.evaluation.ranked import best_rank
from text2image.finetuning.network.inputs import Inputs
from text2image.retrieval.ranking import ranks

MEASURES = (MRR, Measure("hit_rate", 5))


class PerQuery(NamedTuple):
    """How well a model retrieves for each query of a part: ``(n_queries,)`` each.

    Attributes:
        loss: minus the log of the probability that a softmax over the gallery gives the relevant images.
        rank: of the best relevant image, at least 1.
    """

    loss: Floats
    rank: Integers

    def means(self) -> dict[str, float]:
        """Return the mean loss and the mean of each of ``MEASURES``."""
        means = {str(m): float(of.mean()) for m, of in zip(MEASURES, self.values.T, strict=True)}
        return {"loss": float(self.loss.mean())} | means

    @property
    def values(self) -> Floats:
        """``MEASURES`` of each query: ``(n_queries, 2)``."""
        return of_best_ranks(self.rank, MEASURES)


class Questions(NamedTuple):
    """A part of the split to measure on.

    Attributes:
        images: the gallery: rows of the inputs, in the order of their ids, by which ties are broken.
        queries: rows of the inputs.
        rows, columns: ``(n_pairs,)`` int64, the relevant pairs as places in ``queries`` and ``images``,
            sorted by row; every query has one.
    """

    images: Sequence[int]
    queries: Sequence[int]
    rows: Integers
    columns: Integers


def measure(images: Tensor, texts: Tensor, asked: Questions, scale: float) -> PerQuery:
    """Rank the gallery for every query by the project's own rule.

    Args:
        images, texts: ``(n_images, dim)``, ``(n_queries, dim)`` unit rows, in the order of ``asked``.
        asked: which belong together.
        scale: one over the temperature of the loss.
    """
    scores = (texts @ images.T).float()
    relevant = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    relevant[torch.from_numpy(asked.rows), torch.from_numpy(asked.columns)] = True
    logits = scores * scale
    loss = logits.logsumexp(1) - logits.masked_fill(~relevant, -torch.inf).logsumexp(1)
    pair_ranks = ranks(scores.cpu().numpy(), asked.rows, asked.columns)
    starts = np.searchsorted(asked.rows, np.arange(len(asked.queries)))
    return PerQuery(loss.double().cpu().numpy(), best_rank(pair_ranks, starts))


@torch.no_grad()
def measure_part(inputs: Inputs, asked: Questions, scale: float) -> PerQuery:
    """Embed a part and measure it."""
    return measure(inputs.all_images(asked.images), inputs.all_texts(asked.queries), asked, scale)
