"""Models with random weights and plain pictures, so small that a run takes a second."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from tests.support.pictures import image_file
from tests.support.pipeline import random_checkpoint
from text2image.encoders.models.card import describe
from text2image.encoders.models.load import load_model
from text2image.encoders.settings import Model
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.loop import Log
from text2image.finetuning.network.inputs import Base
from text2image.finetuning.run import Data, Tuned, determinants, tune
from text2image.finetuning.settings import FinetuneRun
from text2image.params import load_params
from text2image.queries.split import SplitRow

REPOSITORY = Path(__file__).parents[2]
COLOURS = {
    "train": ("red", "green", "blue", "yellow", "black", "white"),
    "validation": ("red", "green", "blue", "yellow", "black", "white"),  # the same, so that learning shows
    "test": ("brown", "pink"),
}

CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 3},
}
TIMM: dict[str, Any] = {
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


CPU = torch.device("cpu")


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
    random_checkpoint(folder, config)
    return Model(name=f"local-dir:{folder}", pretrained=None, context_length=None, licence="MIT")


def pictures() -> Data:
    """Return plain pictures, two of each colour of each part, which is their text, as a split."""
    rows, files, group_of = [], {}, {}
    for n, (part, colour) in enumerate(
        (part, colour) for part, colours in COLOURS.items() for colour in colours
    ):
        for copy in range(2):
            path = Path(f"{n:02}{copy}.png")
            if not path.exists():  # two processes of a test read the same
                about = PngInfo()
                about.add_text("name", path.stem)  # colours recur: these are other files all the same
                Image.new("RGB", (32 + copy, 32), colour).save(path, pnginfo=about)
            image = image_file(path)
            files[image.image_id], group_of[image.image_id] = image, 10 * n + copy
            rows.append(SplitRow(part, image.image_id, f"q{n:02}", f"{colour} picture", 2))
    return Data(rows, files, group_of)


def base(described: Model) -> Base:
    """Return a model of :func:`tiny`, described and loaded."""
    card = describe("tiny", described)
    return Base(card, load_model("tiny", card, "cpu", "fp32"))


def run_once(start: Base, run: FinetuneRun, log: Log = lambda _: None) -> Tuned:
    """Tune a model on the pictures as the stage does, with what it keeps."""
    data = pictures()
    checkpoint = Checkpoint("run", determinants(start.card, run, data.split, data.files, CPU))
    return tune(start, run, data, load_params(REPOSITORY / "params.yaml").runtime, checkpoint, log)


def tuned(described: Model, run: FinetuneRun) -> tuple[Tuned, dict[str, Tensor]]:
    """Tune a model on the pictures; return what came out, and the base model's weights."""
    start = base(described)
    before = {key: value.clone() for key, value in start.model.network.state_dict().items()}
    return run_once(start, run), before
