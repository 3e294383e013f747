"""Images to vectors: the same bits whatever the schedule, and nearly the same in another precision."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import Finished
from tests.support.networks import write_pictures
from tests.support.pipeline import tiny_model
from tests.support.tokenizers import card
from text2image.base.console import InputError
from text2image.base.settings import OpenaiRuntime, RayRuntime, Runtime
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.encoders.embedding import embed_images, image_devices
from text2image.encoders.images.forward import ACCELERATOR_BATCH
from text2image.encoders.models.load import EmbeddingModel, load_model
from text2image.encoders.vectors import image_determinants

RAY = RayRuntime(actors=None, images_per_task=None)
OPENAI = OpenaiRuntime(
    concurrency=1,
    requests_per_minute=None,
    tokens_per_minute=None,
    timeout=1.0,
    max_retries=0,
    poll_seconds=1.0,
)


def runtime(batch_size: int | None = None, workers: int | None = 2) -> Runtime:
    return Runtime(
        engine="local", device="cpu", batch_size=batch_size, workers=workers, ray=RAY, openai=OPENAI
    )


def tiny_card(folder: Path) -> dict[str, Any]:
    """Write a tiny model into a folder and return what is needed of its card to load it."""
    tiny_model(folder / "tiny")
    return card(folder / "tiny", None)


def vectors(model: EmbeddingModel, images: Sequence[ImageFile], how: Runtime) -> np.ndarray:
    return np.concatenate([rows for _, rows in embed_images(model, images, how)])


def test_bf16_is_close_to_fp32_with_the_built_in_model(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = finished.project.root
    monkeypatch.chdir(root)
    images = read_gallery(Path("data/manifest.csv"), "data/images")
    card = json.loads(Path("data/models/builtin.json").read_text())
    stored = np.load("data/embeddings/builtin/images.npy")
    rows = {}
    for precision in ("fp32", "bf16"):
        rows[precision] = vectors(load_model("builtin", card, "cpu", precision), images, runtime())
        assert rows[precision].dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows[precision], axis=1), 1, atol=1e-6)
    assert rows["fp32"].tobytes() == stored.tobytes()
    cosine = (rows["fp32"] * rows["bf16"]).sum(axis=1)
    assert cosine.min() >= 0.999
    assert cosine.max() < 1 - 1e-7, "bf16 computes as fp32 does"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_vision_transformer_gives_the_same_bits_in_every_schedule(tmp_path: Path, precision: str) -> None:
    photographs = write_pictures(tmp_path, 19)
    model = load_model("tiny", tiny_card(tmp_path), "cpu", precision)
    rows = vectors(model, photographs, runtime())
    for how in (runtime(workers=1), runtime(workers=3), runtime(1), runtime(3), runtime(16)):
        assert vectors(model, photographs, how).tobytes() == rows.tobytes()
    assert vectors(model, photographs[::-1], runtime())[::-1].tobytes() == rows.tobytes()
    assert vectors(model, photographs[7:9], runtime()).tobytes() == rows[7:9].tobytes()


def test_a_gpu_that_is_to_decode_has_to_be_there(tmp_path: Path) -> None:
    model = load_model("tiny", tiny_card(tmp_path), "cpu", "fp32", "gpu")
    with pytest.raises(InputError, match=r"embed\.decode: gpu .*'cpu'.* set embed\.decode: cpu"):
        vectors(model, write_pictures(tmp_path, 2), runtime())


def test_one_gpu_decodes_of_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchvision makes a decoder anew whenever the GPU changes, and never frees the one before."""
    gpus = [torch.device("cuda", index) for index in range(3)]
    monkeypatch.setattr("text2image.encoders.embedding.pick_devices", lambda how: gpus)
    network = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=gpus[0])]))
    model = EmbeddingModel("", network, lambda picture: torch.zeros(3, 8, 8), list)
    many = ACCELERATOR_BATCH + 1
    assert image_devices(model, many, runtime()) == gpus
    assert image_devices(model, many - 1, runtime()) == gpus[:1]
    assert "one of the 3 GPUs" not in capsys.readouterr().err
    assert image_devices(model._replace(decode="gpu"), many, runtime()) == gpus[:1]
    assert "one of the 3 GPUs" in capsys.readouterr().err


def test_what_a_gpu_decodes_is_kept_beside_what_the_cpu_does() -> None:
    card: dict[str, Any] = {"name": "some", "pretrained": None, "files": {}}
    assert image_determinants(card, "fp32", "cpu") == image_determinants(card, "fp32")
    assert image_determinants(card, "fp32", "gpu") == image_determinants(card, "fp32") | {"decode": "gpu"}
