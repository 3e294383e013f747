"""What fine-tuning is made of, on tiny models: what trains, what is left alone, what is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile
from text2image.encoders.models import describe, load_model
from text2image.encoders.settings import Model
from text2image.finetuning.batches import Pair, apart
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.export import write_model
from text2image.finetuning.interpolate import mix
from text2image.finetuning.losses import Loss
from text2image.finetuning.measure import Questions, measure
from text2image.finetuning.parts import add_low_rank, merge_low_rank
from text2image.finetuning.run import Base, Tuned, tune
from text2image.finetuning.settings import FinetuneRun
from text2image.finetuning.towers import Towers
from text2image.params import load_params
from text2image.queries.split import SplitRow

REPOSITORY = Path(__file__).parents[2]
COLOURS = {
    "train": ("red", "green", "blue", "yellow", "black", "white"),
    "validation": ("red", "green", "blue", "yellow", "black", "white"),  # the same, so that learning shows
    "test": ("brown", "pink"),
}

CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 3},
}
TIMM = {
    "embed_dim": 16,
    "custom_text": True,
    "vision_cfg": {
        "timm_model_name": "test_vit",
        "timm_pool": "token",
        "timm_proj": "linear",
        "image_size": 160,
    },
    "text_cfg": {**CLIP["text_cfg"]},
}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, with its own store, on one core."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    torch.set_num_threads(1)


def settings(**changes: Any) -> FinetuneRun:
    """Return the settings of the sample's run, made quick."""
    run = load_params(REPOSITORY / "params.yaml").finetune.runs["builtin-tuned"]
    quick = {
        "base": "tiny",
        "epochs": 3,
        "batch": 4,
        "blocks": 1,
        "rank": 2,
        "alpha": 4.0,
        "optimiser": "adam",
    }
    return FinetuneRun.model_validate(run.model_dump() | quick | {"learning_rate": 0.01} | changes)


def tiny(config: dict[str, Any], folder: Path = Path("tiny")) -> Model:
    """Write a checkpoint directory with random weights."""
    torch.manual_seed(0)
    made = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    network = made(**{key: value for key, value in config.items() if key != "custom_text"})
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file(
        {k: v.contiguous() for k, v in network.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    return Model(name=f"local-dir:{folder}", pretrained=None, context_length=None, licence="MIT")


def pictures() -> tuple[list[SplitRow], dict[str, ImageFile], dict[str, int]]:
    """Return plain pictures, two of each colour of each part, which is their text, as a split."""
    rows, files = [], {}
    for n, (part, colour) in enumerate(
        (part, colour) for part, colours in COLOURS.items() for colour in colours
    ):
        for copy in range(2):
            image = f"{n:02}{copy}"
            path = Path(f"{image}.png")
            if not path.exists():  # two processes of a test read the same
                Image.new("RGB", (32 + copy, 32), colour).save(path)
            files[image] = ImageFile(image, path)
            rows.append(SplitRow(part, image, f"q{n:02}", f"{colour} picture", 2))
    return rows, files, {image: int(image) for image in files}


def tuned(described: Model, run: FinetuneRun) -> tuple[Tuned, dict[str, Tensor]]:
    """Tune a model on the pictures; return what came out, and the base model's weights."""
    rows, files, group_of = pictures()
    card = describe("tiny", described)
    model = load_model("tiny", card, torch.device("cpu"), "fp32")
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    runtime = load_params(REPOSITORY / "params.yaml").runtime
    checkpoint = Checkpoint(run.model_dump())
    found = tune(Base(card, model), run, rows, files, group_of, runtime, checkpoint, lambda _: None)
    return found, before


# --- batches and losses ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 5, 64])
def test_no_two_pairs_of_a_batch_belong_together(size: int) -> None:
    generator = np.random.default_rng(size)
    relevant = {q: {int(i) for i in generator.integers(0, 30, 3)} for q in range(40)}
    pairs = [Pair(image, query) for query, images in relevant.items() for image in images]
    batches = apart(pairs, size, relevant)
    for batch in batches:
        assert 2 <= len(batch) <= size
        for one in batch:
            assert not any(other is not one and other.image in relevant[one.query] for other in batch)
    dealt = [pair for batch in batches for pair in batch]
    assert len(set(dealt)) == len(dealt)
    assert len(pairs) - len(dealt) <= max(0, len(pairs) // 10), "only what fits nowhere is left out"


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


def test_measures_are_the_projects_own() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    texts = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    asked = Questions([0, 1, 2], [0, 1], np.array([0, 1, 1]), np.array([0, 0, 1]))
    found = measure(images, texts, asked, scale=1.0)
    assert found.rank.tolist() == [1, 2]
    probability = (np.exp(0.8) + np.exp(0.6)) / (np.exp(0.8) + np.exp(0.6) + np.exp(0.96))
    np.testing.assert_allclose(found.loss[1], -np.log(probability), rtol=1e-6)


# --- what trains -------------------------------------------------------------------------------

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


@pytest.mark.parametrize("config", [CLIP, TIMM], ids=["open_clip ViT", "timm ViT"])
@pytest.mark.parametrize("train", ["head", "last_blocks", "lora"])
def test_only_the_named_parameters_change(train: str, config: dict[str, Any]) -> None:
    found, before = tuned(tiny(config), settings(train=train, dropout=0.0))
    after = found.network.state_dict()
    assert after.keys() == before.keys(), "low-rank updates are merged and heads are back"
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    allowed = expected(before, config, train)
    assert changed <= allowed
    assert set(found.changed) == changed
    assert len(changed) > 0.8 * len(allowed), "what has a gradient moves"


def test_all_of_a_network_trains_with_its_own_temperature() -> None:
    found, before = tuned(tiny(CLIP), settings(train="all", temperature=None, loss="sigmoid", epochs=2))
    assert found.n_trained == sum(value.numel() for name, value in before.items() if name != "attn_mask")


def test_features_computed_once_train_the_heads_that_pixels_would() -> None:
    """With the trunks frozen, the cached features and the whole network give the same unit rows."""
    card_model = tiny(CLIP)
    card = describe("tiny", card_model)
    model = load_model("tiny", card, torch.device("cpu"), "fp32")
    _, files, _ = pictures()
    pixels = torch.stack([model.transform(Image.open(file.path).convert("RGB")) for file in files.values()])
    with torch.inference_mode():
        whole = model.network.encode_image(pixels, normalize=True)
        towers = Towers(model.network, 0.5)
        parts = towers.image_rows(towers.network.encode_image(pixels))
        torch.testing.assert_close(parts, whole)
        assert torch.equal(towers.whole().encode_image(pixels, normalize=True), whole)


def test_low_rank_updates_start_at_the_base_and_merge_to_what_they_computed() -> None:
    torch.manual_seed(1)
    network = open_clip.CLIP(**CLIP).eval()
    pixels, base = torch.rand(2, 3, 32, 32), {k: v.clone() for k, v in network.state_dict().items()}
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
            moved - base["visual.transformer.resblocks.0.attn.in_proj_weight"], atol=1e-5
        )
        == 2
    )


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


def test_a_model_without_such_a_part_is_one_sentence() -> None:
    network = open_clip.CLIP(**CLIP)
    network.visual.proj = network.text_projection = None
    rows, files, group_of = pictures()
    described = tiny(CLIP)
    card = describe("tiny", described)
    model = load_model("tiny", card, torch.device("cpu"), "fp32")._replace(network=network)
    runtime = load_params(REPOSITORY / "params.yaml").runtime
    with pytest.raises(InputError, match=r"a projection to train .* found none in 'tiny'"):
        tune(Base(card, model), settings(), rows, files, group_of, runtime, Checkpoint("x"), lambda _: None)


# --- what is written ---------------------------------------------------------------------------


def test_the_result_is_a_checkpoint_directory_like_any_other() -> None:
    """In a fresh process and with the built-in model: see tests/finetuning/test_finetune.py."""
    described = tiny(CLIP)
    found, _ = tuned(described, settings())
    write_model(Path("data/tuned/run"), found.network, described, "# a card\n")
    again, _, _ = open_clip.create_model_and_transforms("local-dir:data/tuned/run")
    assert all(
        torch.equal(value, found.network.state_dict()[key]) for key, value in again.state_dict().items()
    )


# --- killed and resumed ------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from tests.finetuning.test_tuning import REPOSITORY, Base, Checkpoint, describe, load_model, load_params, pictures, settings, tune
from text2image.encoders.settings import Model
torch.set_num_threads(1)
run = settings(epochs=12, patience=12, train="last_blocks", dropout=0.5)
card = describe("tiny", Model(name="local-dir:tiny", pretrained=None, context_length=None))
epochs = []
def log(row):
    epochs.append(row)
    print("epoch", len(epochs) - 1, flush=True)
rows, files, group_of = pictures()
found = tune(Base(card, load_model("tiny", card, torch.device("cpu"), "fp32")), run, rows, files, group_of,
             load_params(REPOSITORY / "params.yaml").runtime, Checkpoint([run.model_dump(), card]), log)
save_file({k: v.contiguous() for k, v in found.network.state_dict().items()}, sys.argv[1])
"""


def start(root: Path, out: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, out], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def test_a_run_that_is_killed_ends_with_the_same_weights_to_the_last_bit(tmp_path: Path) -> None:
    tiny(CLIP)
    pictures()
    undisturbed = start(tmp_path / "calm", "calm.safetensors")
    killed = start(tmp_path / "killed", "never.safetensors")
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.startswith("epoch 4"):
            os.kill(killed.pid, signal.SIGKILL)
            break
    assert killed.stderr is not None
    assert killed.wait(60) == -signal.SIGKILL, killed.stderr.read()
    assert not Path("never.safetensors").exists()
    began = time.monotonic()
    resumed = start(tmp_path / "killed", "resumed.safetensors")
    output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert undisturbed.wait(120 - (time.monotonic() - began)) == 0
    assert undisturbed.stdout is not None
    assert output == undisturbed.stdout.read(), "the earlier epochs are logged again, none is missing"
    calm, again = load_file("calm.safetensors"), load_file("resumed.safetensors")
    assert all(torch.equal(calm[name], again[name]) for name in calm)
    assert (tmp_path / "killed" / ".cache" / "tuning").is_dir()
