"""How well towers retrieve, by hand; and the mixes of two sets of weights."""

import numpy as np
import open_clip
import torch

from tests.finetuning.tiny import CLIP
from text2image.finetuning.interpolate import mix
from text2image.finetuning.measure import Questions, measure
from text2image.finetuning.network.towers import Towers


def test_measures_are_the_projects_own() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    texts = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    asked = Questions([0, 1, 2], [0, 1], np.array([0, 1, 1]), np.array([0, 0, 1]))
    measured = measure(images, texts, asked, scale=1.0)
    assert measured.rank.tolist() == [1, 2]
    probability = (np.exp(0.8) + np.exp(0.6)) / (np.exp(0.8) + np.exp(0.6) + np.exp(0.96))
    np.testing.assert_allclose(measured.loss[1], -np.log(probability), rtol=1e-6)


def test_the_mix_is_exact_at_both_ends_and_linear_between() -> None:
    towers = Towers(open_clip.CLIP(**CLIP), 0.0)
    base = {"visual.proj": towers.parameters()["visual.proj"].detach().clone()}
    other = {"visual.proj": torch.randn_like(base["visual.proj"])}
    for weight, wanted in ((0.0, base), (1.0, other)):
        mix(towers, base, other, weight)
        assert torch.equal(towers.parameters()["visual.proj"], wanted["visual.proj"])
    mix(towers, base, other, 0.3)
    torch.testing.assert_close(
        towers.parameters()["visual.proj"], 0.7 * base["visual.proj"] + 0.3 * other["visual.proj"]
    )
