"""What a run trains of a network and what it leaves alone, by which loss, and what it writes."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn

from tests.finetuning.tiny import CLIP, TIMM, base, pictures, run_once, settings, tiny, tuned
from text2image.base.console import InputError
from text2image.collection.images import open_image
from text2image.finetuning.loop import Loss
from text2image.finetuning.network.export import write_model
from text2image.finetuning.network.parts import add_low_rank, merge_low_rank
from text2image.finetuning.network.towers import Towers
from text2image.formats.origins import read_origins


def test_the_losses_are_those_of_the_papers() -> None:
    generator = torch.Generator().manual_seed(0)
    images, texts = (
        nn.functional.normalize(torch.randn(3, 4, generator=generator), dim=-1) for _ in range(2)
    )
    network = open_clip.CLIP(**CLIP)
    logits = 20.0 * images @ texts.T
    by_hand = -sum(
        (logits[i, i] - logits[i].logsumexp(0) + logits[i, i] - logits[:, i].logsumexp(0)) / 2
        for i in range(3)
    )
    contrastive = Loss(network, settings(temperature=0.05, loss="contrastive"))(images, texts)
    torch.testing.assert_close(contrastive, by_hand / 3)
    signs = 2 * torch.eye(3) - 1
    pairwise = Loss(network, settings(temperature=0.05, loss="sigmoid"))(images, texts)
    torch.testing.assert_close(pairwise, torch.log1p(torch.exp(-signs * (logits - 10))).sum() / 3)


CLIP_HEADS = {"visual.proj", "text_projection"}
TIMM_HEADS = {"visual.head.proj.weight", "text.text_projection"}


def expected(state: dict[str, Tensor], config: dict[str, Any], train: str) -> set[str]:
    """Return the names that may change, written down by hand."""
    custom = "custom_text" in config
    heads = TIMM_HEADS if custom else CLIP_HEADS
    image = "visual.trunk.blocks." if custom else "visual.transformer.resblocks."
    text = "text.transformer.resblocks." if custom else "transformer.resblocks."
    last = {name for name in state if name.startswith((f"{image}{_last(state, image)}.", f"{text}2."))}
    linear = (
        "in_proj_weight",
        "out_proj.weight",
        "c_fc.weight",
        "c_proj.weight",
        "qkv.weight",
        "proj.weight",
        "fc1.weight",
        "fc2.weight",
    )
    return {
        "head": heads,
        "last_blocks": heads | last,
        "lora": {name for name in state if name.startswith((image, text)) and name.endswith(linear)},
    }[train]


def _last(state: dict[str, Tensor], prefix: str) -> int:
    return max(int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix))


@pytest.mark.parametrize(
    "config", [CLIP, pytest.param(TIMM, marks=pytest.mark.slow)], ids=["open_clip ViT", "timm ViT"]
)
@pytest.mark.parametrize("train", ["head", "last_blocks", "lora"])
def test_only_the_named_parameters_change(train: str, config: dict[str, Any]) -> None:
    # A seed by which each of the random networks learns: where validation says that it did not, nothing changes.
    run, before = tuned(tiny(config), settings(train=train, dropout=0.0, seed=2))
    after = run.network.state_dict()
    assert after.keys() == before.keys(), "low-rank updates are merged and heads are back"
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    allowed = expected(before, config, train)
    assert changed <= allowed
    assert set(run.changed) == changed
    assert len(changed) > 0.8 * len(allowed), "what has a gradient moves"


def test_all_of_a_network_trains_with_its_own_temperature() -> None:
    run, before = tuned(tiny(CLIP), settings(train="all", temperature=None, loss="sigmoid", epochs=2))
    assert run.n_trained == sum(value.numel() for name, value in before.items() if name != "attn_mask")


def test_features_computed_once_train_the_heads_that_pixels_would() -> None:
    """With the trunks frozen, the cached features and the whole network give the same unit rows."""
    model = base(tiny(CLIP)).model
    images = [open_image(file) for file in pictures().files.values()]
    pixels = torch.stack([model.transform(image) for image in images])
    with torch.inference_mode():
        whole = model.network.encode_image(pixels, normalize=True)
        towers = Towers(model.network, 0.5)
        parts = towers.image_rows(towers.network.encode_image(pixels))
        torch.testing.assert_close(parts, whole)
        assert torch.equal(towers.rejoined().encode_image(pixels, normalize=True), whole)


def test_low_rank_updates_start_at_the_base_and_merge_to_what_they_computed() -> None:
    torch.manual_seed(1)
    network = open_clip.CLIP(**CLIP).eval()
    pixels, before = torch.rand(2, 3, 32, 32), {k: v.clone() for k, v in network.state_dict().items()}
    plain = network.encode_image(pixels)
    add_low_rank(network, rank=2, alpha=4.0)
    assert torch.equal(network.encode_image(pixels), plain)
    for name, parameter in network.named_parameters():
        if name.endswith(".b"):
            nn.init.normal_(parameter, std=0.1)
    updated = network.encode_image(pixels)
    assert not torch.allclose(updated, plain)
    merge_low_rank(network)
    torch.testing.assert_close(network.encode_image(pixels), updated)
    moved = network.state_dict()["visual.transformer.resblocks.0.attn.in_proj_weight"]
    assert (
        torch.linalg.matrix_rank(
            moved - before["visual.transformer.resblocks.0.attn.in_proj_weight"], atol=1e-5
        )
        == 2
    )


def test_a_model_without_such_a_part_is_one_sentence() -> None:
    network = open_clip.CLIP(**CLIP)
    network.visual.proj = network.text_projection = None
    start = base(tiny(CLIP))
    start = start._replace(model=start.model._replace(network=network))
    with pytest.raises(InputError, match=r"a projection to train .* found none in 'tiny'"):
        run_once(start, settings())


def test_the_result_is_a_checkpoint_directory_like_any_other() -> None:
    """In a fresh process and with the built-in model: see tests/pipeline/test_finetuning.py."""
    described = tiny(CLIP)
    run, _ = tuned(described, settings())
    write_model(Path("data/tuned/run"), run.network, described, "# a card\n", {"sha256:ab": "base"})
    assert read_origins(Path("data/tuned/run/origins.json")) == {"sha256:ab": "base"}
    again, _, _ = open_clip.create_model_and_transforms("local-dir:data/tuned/run")
    assert all(torch.equal(value, run.network.state_dict()[key]) for key, value in again.state_dict().items())
