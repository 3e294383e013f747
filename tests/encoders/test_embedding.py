"""Images to vectors: preprocessing, precision, batches, memory; the same bits whatever the schedule."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image

from tests.conftest import Finished
from tests.support.pipeline import tiny_model
from text2image.base.console import InputError
from text2image.base.settings import OpenaiRuntime, RayRuntime, Runtime
from text2image.collection.images import decode
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.encoders.batches import CPU_REFERENCE, FILE, Probe, pick_batch_size
from text2image.encoders.device import pick_dtype
from text2image.encoders.embedding import embed_images
from text2image.encoders.forward import Halving, forward_images
from text2image.encoders.models.load import EmbeddingModel, load_model
from text2image.encoders.preprocessing import TOLERANCE, fast

CPU = torch.device("cpu")
RAY = RayRuntime(actors=None, images_per_task=None)
OPENAI = OpenaiRuntime(
    concurrency=1,
    requests_per_minute=None,
    tokens_per_minute=None,
    timeout=1.0,
    max_retries=0,
    poll_seconds=1.0,
)


@pytest.fixture(autouse=True)
def _one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several threads wait for each other when tests run side by side; the cache is the test's own."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def runtime(batch_size: int | None = None, workers: int | None = 2) -> Runtime:
    return Runtime(
        engine="local", device="cpu", batch_size=batch_size, workers=workers, ray=RAY, openai=OPENAI
    )


# --- preprocessing -----------------------------------------------------------------------------


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return hard edges and noise, on which a wrong filter or a shift by half a pixel would show."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 3] = (255, 0, 40)
    pixels[height // 3 :, width // 2 :] //= 8
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    image, turned = picture(300, 200), Image.Exif()
    turned[0x0112] = 6
    alpha = image.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray((np.arange(300 * 200).reshape(200, 300) % 65536).astype(np.uint16))
    return {
        "jpeg": saved(image, "JPEG"),
        "progressive": saved(image, "JPEG", progressive=True, subsampling=0),
        "exif orientation": saved(image, "JPEG", exif=turned),
        "cmyk": saved(image.convert("CMYK"), "JPEG"),
        "grey": saved(image.convert("L"), "JPEG"),
        "palette": saved(image.quantize(64), "PNG"),
        "palette with transparency": saved(image.quantize(64), "PNG", transparency=3),
        "alpha": saved(alpha, "PNG"),
        "grey and alpha": saved(alpha.convert("LA"), "PNG"),
        "16 bits": saved(deep, "PNG"),
        "one bit": saved(image.convert("1"), "PNG"),
        "gif": saved(image, "GIF"),
        "webp": saved(alpha, "WEBP"),
    }


def levels_apart(image: Image.Image, **options: object) -> torch.Tensor:
    """Return by how many of 255 levels the fast transform differs from open_clip's."""
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    transform = image_transform(is_train=False, mean=mean, std=std, **options)
    quick = fast(transform)
    assert quick is not transform
    ours, theirs = quick(image), transform(image)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert ours.is_contiguous()
    return (ours - theirs).abs() * torch.tensor(std).view(3, 1, 1) * 255


@pytest.mark.parametrize(("kind", "content"), files().items(), ids=list(files()))
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
def test_every_kind_of_file_is_preprocessed_as_open_clip_does_it(
    kind: str, content: bytes, resize_mode: str
) -> None:
    apart = levels_apart(decode(content), image_size=64, resize_mode=resize_mode)
    assert apart.max() < TOLERANCE + 0.01
    assert apart.mean() < 0.02


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 90), (700, 9), (63, 64), (64, 64), (65, 64), (97, 241), (900, 611)]
)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("image_size", [64, (64, 64), (48, 64)])
def test_every_size_is_preprocessed_as_open_clip_does_it(
    size: tuple[int, int], interpolation: str, image_size: int | tuple[int, int]
) -> None:
    mode = "squash" if image_size == (48, 64) else "shortest"
    for resize_mode in {mode, "squash"}:
        apart = levels_apart(
            picture(*size), image_size=image_size, resize_mode=resize_mode, interpolation=interpolation
        )
        assert apart.max() < TOLERANCE + 0.01
        assert apart.mean() < 0.02


@pytest.mark.parametrize("options", [{"image_size": 64, "resize_mode": "longest"}, {"image_size": (48, 64)}])
def test_other_transforms_are_left_as_they_are(options: dict[str, object]) -> None:
    transform = image_transform(is_train=False, **options)
    assert fast(transform) is transform


# --- precision ---------------------------------------------------------------------------------


def vectors(model: EmbeddingModel, images: Sequence[ImageFile], how: Runtime) -> np.ndarray:
    return np.concatenate([rows for _, rows in embed_images(model, images, CPU, how)])


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
        rows[precision] = vectors(load_model("builtin", card, CPU, precision), images, runtime())
        assert rows[precision].dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows[precision], axis=1), 1, atol=1e-6)
    assert rows["fp32"].tobytes() == stored.tobytes()
    cosine = (rows["fp32"] * rows["bf16"]).sum(axis=1)
    assert cosine.min() >= 0.999
    assert cosine.max() < 1 - 1e-7, "bf16 computes as fp32 does"


def test_fp16_needs_an_accelerator() -> None:
    with pytest.raises(InputError, match=r"embed\.precision .*found fp16"):
        pick_dtype("fp16", CPU)
    assert pick_dtype("fp16", torch.device("cuda")) is torch.float16


# --- the same bits whatever the schedule -------------------------------------------------------


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(19):
        picture(60 + number, 70, number).save(folder / f"{number}.png")
    return [ImageFile(f"{number:016}", folder / f"{number}.png") for number in range(19)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_vision_transformer_gives_the_same_bits_in_every_schedule(
    photographs: list[ImageFile], tmp_path: Path, precision: str
) -> None:
    tiny_model(tmp_path / "tiny")
    card: dict[str, Any] = {
        "name": f"local-dir:{tmp_path / 'tiny'}",
        "pretrained": None,
        "context_length": None,
    }
    model = load_model("tiny", card | {"files": {}}, CPU, precision)
    rows = vectors(model, photographs, runtime())
    for how in (runtime(workers=1), runtime(workers=3), runtime(1), runtime(3), runtime(16)):
        assert vectors(model, photographs, how).tobytes() == rows.tobytes()
    assert vectors(model, photographs[::-1], runtime())[::-1].tobytes() == rows.tobytes()
    assert vectors(model, photographs[7:9], runtime()).tobytes() == rows[7:9].tobytes()


def sums(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.flatten(1).sum(dim=1, keepdim=True)


def probe(network: object) -> Probe:
    return Probe(network, torch.zeros(3, 4, 4), CPU, 2)  # type: ignore[arg-type]


def refuse(pixels: torch.Tensor) -> torch.Tensor:
    raise AssertionError("computed again")


def test_a_batch_size_is_used_if_it_gives_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    def rounding(pixels: torch.Tensor) -> torch.Tensor:
        return sums(pixels) * (1 + 1e-6 * (len(pixels) < 4))

    assert pick_batch_size(probe(rounding), "k", 10, wanted=4) == 4
    assert capsys.readouterr().err == ""
    assert pick_batch_size(probe(rounding), "k", 10, wanted=3) == CPU_REFERENCE
    assert "runtime.batch_size 3 would change the last bits" in capsys.readouterr().err
    assert pick_batch_size(probe(refuse), "k", 10, wanted=4) == 4
    assert pick_batch_size(probe(refuse), "k", 10, wanted=3) == CPU_REFERENCE


def test_the_fastest_size_with_the_same_bits_is_looked_for_when_it_pays_and_remembered(
    tmp_path: Path,
) -> None:
    tried = []

    def slow(pixels: torch.Tensor) -> torch.Tensor:
        """Take the same time for any batch; from 32 on, round differently."""
        tried.append(len(pixels))
        time.sleep(0.02)
        return sums(pixels) * (1 + 1e-6 * (len(pixels) >= 32))

    assert pick_batch_size(probe(slow), "k", 100, wanted=None) == CPU_REFERENCE
    assert set(tried) == {CPU_REFERENCE}, "too few images to look for more"
    assert pick_batch_size(probe(slow), "k", 10**6, wanted=None) == 16
    assert 32 in tried
    assert pick_batch_size(probe(refuse), "k", 10**6, wanted=None) == 16
    assert pick_batch_size(probe(refuse), "k", 100, wanted=None) == 16
    (tmp_path / ".cache" / FILE).write_text("{damaged")
    assert pick_batch_size(probe(slow), "k", 100, wanted=None) == CPU_REFERENCE


def test_a_network_whose_rows_depend_on_their_place_takes_one_image_at_a_time() -> None:
    def placed(pixels: torch.Tensor) -> torch.Tensor:
        return sums(pixels) * (1 + 1e-6 * torch.arange(len(pixels)).view(-1, 1))

    assert pick_batch_size(probe(placed), "k", 10, wanted=None) == 1


# --- memory ------------------------------------------------------------------------------------


class Small:
    """A network on a device with memory for so many images."""

    def __init__(self, fits: int) -> None:
        self.fits, self.tried = fits, list[int]()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(pixels))
        if len(pixels) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sums(pixels)


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1) / 255


def test_out_of_memory_halves_the_batch_and_goes_on(
    photographs: list[ImageFile], capsys: pytest.CaptureFixture[str]
) -> None:
    network = Small(fits=3)
    found = list(forward_images(photographs, to_tensor, network, CPU, batch_size=8, workers=1))
    expected = list(forward_images(photographs, to_tensor, sums, CPU, batch_size=8, workers=1))
    assert [image for batch, _ in found for image in batch] == photographs
    assert torch.equal(torch.cat([rows for _, rows in found]), torch.cat([rows for _, rows in expected]))
    assert network.tried[:2] == [8, 4]
    assert set(network.tried[2:]) == {2}, "the smaller size is kept"
    assert capsys.readouterr().err.count("out of memory") == 2


def test_a_memory_too_small_for_one_image_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"memory .*runtime\.device"):
        Halving(Small(fits=0), 4)(torch.zeros(4, 3, 2, 2))


def test_a_probe_finds_the_largest_reference_that_fits() -> None:
    assert pick_batch_size(probe(Small(fits=5)), "k", 10, wanted=None) == 4
    assert pick_batch_size(probe(Small(fits=5)), "other", 10, wanted=16) == 4
