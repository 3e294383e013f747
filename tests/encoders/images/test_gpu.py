"""What is promised on a GPU of NVIDIA's, where one is: `python -m benchmarks.gpu` checks the same on large models, and speed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.embedding import photograph
from tests.encoders.test_embedding import runtime, tiny_card, vectors
from tests.support.pictures import image_file
from text2image.collection.manifest import ImageFile
from text2image.encoders.embedding import unit_rows
from text2image.encoders.images.forward import Replica, forward_images
from text2image.encoders.images.preprocessing import preprocessing
from text2image.encoders.models.load import EmbeddingModel, load_model

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="expected a GPU of NVIDIA's, found none: nothing is promised here"
)
COUNT = 40


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(COUNT):
        (folder / f"{number}.jpg").write_bytes(photograph(number))
    return [image_file(folder / f"{number}.jpg") for number in range(COUNT)]


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    card = tiny_card(tmp_path)

    def load(precision: str = "fp32", decode: str = "cpu", device: str = "cuda") -> EmbeddingModel:
        return load_model("tiny", card, device, precision, decode)

    return load


def on_gpu(model: EmbeddingModel, images: list[ImageFile], **how: Any) -> np.ndarray:
    return vectors(model, images, runtime(**how).model_copy(update={"device": "cuda"}))


def test_vectors_are_near_those_of_a_cpu(loaded: Any, photographs: list[ImageFile]) -> None:
    here = vectors(loaded(device="cpu"), photographs, runtime())
    there = on_gpu(loaded(), photographs)
    assert (here * there).sum(axis=1).min() >= 0.9999


def test_a_gpu_that_decodes_gives_nearly_the_same_vectors(loaded: Any, photographs: list[ImageFile]) -> None:
    cosine = (on_gpu(loaded(), photographs) * on_gpu(loaded(decode="gpu"), photographs)).sum(axis=1)
    assert cosine.min() >= 0.999
    assert cosine.max() < 1, "nvJPEG did not decode"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("decode", ["cpu", "gpu"])
def test_every_run_gives_the_same_bytes(
    loaded: Any, photographs: list[ImageFile], precision: str, decode: str
) -> None:
    rows = on_gpu(loaded(precision, decode), photographs)
    for workers in (1, 2, 8):
        again = on_gpu(loaded(precision, decode), photographs, workers=workers)
        assert again.tobytes() == rows.tobytes()


def test_a_gpu_whose_memory_is_short_takes_smaller_batches(
    loaded: Any, photographs: list[ImageFile], capsys: pytest.CaptureFixture[str]
) -> None:
    model, device = loaded(), torch.device("cuda", 0)
    expected = on_gpu(model, photographs)
    many = photographs * 50
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved(device) + (64 << 20)) / total, device
    )
    try:
        replica = Replica(model.network.encode_image, device)
        made = forward_images(many, preprocessing(model.transform), [replica], batch_size=2000)
        rows = np.concatenate([unit_rows(features) for _, features in made])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert "out of memory with 2000 images at once" in capsys.readouterr().err
    np.testing.assert_allclose(rows, np.tile(expected, (50, 1)), atol=1e-4)
