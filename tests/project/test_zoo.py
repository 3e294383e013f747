"""A zoo of models: what can be had is compared, what cannot is listed, and the workspace stays as it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub import constants

from tests.support.pipeline import Project, tiny_model
from text2image.base.console import InputError
from text2image.commands.experiment import blamed
from text2image.encoders.builtin.assemble import MODEL_CARD
from text2image.encoders.models.card import describe
from text2image.encoders.models.licence import licence_of
from text2image.encoders.models.load import copies_of_weights
from text2image.encoders.models.memory import free_memory, require_memory
from text2image.encoders.models.size import Size, measure_size
from text2image.encoders.settings import Model
from text2image.encoders.vectors import image_determinants
from text2image.formats.tables import read_csv

CPU = torch.device("cpu")


def directory_model(folder: Path) -> Model:
    return Model(name=f"local-dir:{folder}", pretrained=None, context_length=None)


@pytest.mark.slow
def test_the_size_is_that_of_the_loaded_network(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    for name, side in (("RN50", 224), (f"local-dir:{tmp_path / 'tiny'}", 32)):
        network = open_clip.create_model(name).eval()
        size = measure_size(Model(name=name, pretrained=None, context_length=None))
        assert size is not None
        tensors = [*network.parameters(), *network.buffers()]
        assert size.parameters == sum(parameter.numel() for parameter in network.parameters())
        assert size.weight_bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        pixels = torch.zeros(1, 3, side, side)
        with torch.inference_mode():
            assert size.dimension == network.encode_image(pixels).shape[1]
        assert size.image_bytes > pixels.numel() * 4


def test_an_architecture_that_cannot_be_built_has_the_size_of_its_file(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    config = tmp_path / "tiny" / "open_clip_config.json"
    changed = json.loads(config.read_text())
    changed["model_cfg"]["vision_cfg"]["timm_model_name"] = "no_such_network"
    config.write_text(json.dumps(changed))
    weights = (tmp_path / "tiny" / "open_clip_model.safetensors").stat().st_size
    assert describe("tiny", directory_model(tmp_path / "tiny"))["size"] == {"weight_bytes": weights}


def test_a_model_card_and_a_licence_change_no_key_of_an_embedding(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    before = describe("tiny", directory_model(tmp_path / "tiny"))
    (tmp_path / "tiny" / "README.md").write_text("new")
    (tmp_path / "tiny" / "LICENSE").write_text("new")
    after = describe("tiny", directory_model(tmp_path / "tiny"))
    assert image_determinants(before, "fp32") == image_determinants(after, "fp32")
    assert "size" not in image_determinants(after, "fp32")


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded() -> None:
    size = Size(parameters=10, dimension=1, weight_bytes=free_memory() // 2, image_bytes=1)._asdict()
    require_memory("half", size, CPU, copies=copies_of_weights(["a.safetensors"]))
    with pytest.raises(InputError, match=r"model 'half' needs about [\d,.]+ GB of memory .* are free"):
        require_memory("half", size, CPU, copies=3)
    assert copies_of_weights(["config.json", "open_clip_pytorch_model.bin"]) == 2
    with pytest.raises(InputError, match="needs about 10,000,000"):
        require_memory("large", {"weight_bytes": 10**16}, CPU, copies=1)


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    for limit, expected in (("max", None), (str(3 * 10**8), 2 * 10**8 + 10**7), (str(10**7), 0)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{10**8}\n")
        (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {10**7}\n")
        found = free_memory(tmp_path)
        assert found > 3 * 10**8 if expected is None else found == expected
    assert free_memory(tmp_path / "none") > 3 * 10**8


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": MODEL_CARD}, "apache-2.0"),
        ({"README.md": "---\nlicense: other\nlicense_name: apple-amlr\n---\n"}, "apple-amlr"),
        ({"README.md": "no front matter", "LICENSE.txt": "\n  MIT License\n\nCopyright"}, "MIT License"),
        ({"README.md": "---\ntags: [clip]\n---\n"}, "unknown"),
        ({"README.md": "---\n: [\n---\n"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_licence_is_read_and_never_guessed(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert licence_of(directory_model(tmp_path)) == expected


def test_a_licence_that_cannot_be_looked_up_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert licence_of(Model(name="RN50", pretrained="openai", context_length=None)) == "unknown"
    assert licence_of(directory_model(Path("nowhere"))) == "unknown"


def test_a_failure_is_put_down_to_the_model_that_caused_it() -> None:
    said = (
        "Running stage 'embed_queries@a-b-human':\nerror: model 'a-b' cannot be loaded (no tokenizer)\n"
        "ERROR: failed to reproduce 'embed_queries@a-b-human': failed to run: python, exited with 1\n"
    )
    assert blamed(said, ["a", "a-b"], ["human"]) == ("a-b", "model 'a-b' cannot be loaded (no tokenizer)")
    killed = "ERROR: failed to reproduce 'embed_images@a': failed to run: python, exited with -9\n"
    assert blamed(killed, ["a", "a-b"], ["human"]) == ("a", killed.strip().removeprefix("ERROR: "))
    for other in (
        "ERROR: failed to reproduce 'label@a': failed to run\n",
        "ERROR: failed to reproduce 'evaluate': x\n",
        "",
    ):
        with pytest.raises(InputError, match="the reason above"):
            blamed(other, ["a"], ["human"])


def contents(project: Project) -> dict[str, str]:
    """Return the hashes of all files of a user's workspace, but for what the zoo is to write."""
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and path.relative_to(project.root).parts[0] not in (".git", ".dvc", ".cache", "report")
        and "__pycache__" not in path.parts
    }  # fmt: skip


def described(folder: str) -> dict[str, Any]:
    return {"name": f"local-dir:{folder}", "pretrained": None, "context_length": None}


@pytest.mark.pipeline
def test_what_can_be_had_is_compared_and_the_rest_is_listed(project: Project) -> None:
    tiny_model(project.root / "tiny")
    tiny_model(project.root / "broken")
    (project.root / "broken" / "open_clip_model.safetensors").write_bytes(b"\0" * 100)
    tiny_model(project.root / "huge")
    config = project.root / "huge" / "open_clip_config.json"
    large = json.loads(config.read_text())
    large["model_cfg"]["text_cfg"] |= {"width": 65536, "heads": 1024, "layers": 200}
    config.write_text(json.dumps(large))
    (project.root / ".gitignore").open("a").write("/tiny/\n")  # neither git nor DVC knows it
    project.set(
        **{f"models__{name}": described(name) for name in ("tiny", "broken", "huge")},
        zoo__models=["broken", "builtin", "huge", "siglip", "tiny"],
        label__sources=["human"],
    )
    before, status = contents(project), project.run("git", "status", "--porcelain")
    said = project.run("python", "-m", "text2image.commands.zoo", "evaluate")
    assert "Traceback" not in said
    assert contents(project) == before
    assert project.run("git", "status", "--porcelain") == status

    page = (project.root / "report" / "leaderboard.md").read_text()
    assert page in said
    absent = dict(
        line[2:].split(": ", 1) for line in page.split("## Not to be had")[1].split("\n") if line[:1] == "-"
    )
    assert absent.keys() == {"broken", "huge", "siglip"}
    assert "an open_clip checkpoint in broken" in absent["broken"]
    assert "of memory (estimated, 10" in absent["huge"]
    assert "is not on this machine" in absent["siglip"]

    rows = read_csv(project.root / "report" / "leaderboard.csv", ["model", "source", "mrr"])
    assert {(row["model"], row["source"]) for row in rows} == {
        ("builtin", "human"),
        ("tiny", "human"),
    }
    metrics = json.loads((project.root / "metrics" / "metrics.json").read_text())["builtin"]
    assert "zoo" in project.run("dvc", "exp", "show", "--csv")
    assert "tiny.human.mrr" in project.run("dvc", "metrics", "diff", "HEAD", "zoo")
    for row in rows:
        if row["model"] == "builtin":
            assert float(row["mrr"]) == metrics[row["source"]]["mrr"], "the same queries as before"
            assert row["dimension"] == "384"


@pytest.mark.pipeline
def test_a_zoo_of_nothing_is_one_sentence(project: Project) -> None:
    project.set(zoo__models=["siglip"])
    said = project.run("python", "-m", "text2image.commands.zoo", check=False)
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: expected at least one model of zoo.models")
