"""A real project in a temporary folder: git, DVC, a few photographs, and the commands a user types."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from text2image.pages.charts.files import write_plot_files

REPOSITORY = Path(__file__).parents[2]
IMAGES = 10


class Project:
    """A working copy of the project with its own git history, DVC cache and store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
        """Run a command in the project and return what it printed, errors included."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment() | dict(env or {}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}")
        if not check and done.returncode == 0:
            raise AssertionError(f"{' '.join(command)} was expected to fail:\n{done.stdout}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Return the environment of a user who has this virtual environment active and no proxy to hubs."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "GIT_"))}
        return inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(self.root.with_name(f"{self.root.name}-site")),
            "HF_HUB_OFFLINE": "1",
            "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
            "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
            "PYTHONPATH": str(self.root),
        }  # fmt: skip

    def repro(self, *arguments: str) -> set[str]:
        """Run `dvc repro` and return the names of the stages whose command ran."""
        return ran(self.run("dvc", "repro", *arguments))

    def failing_repro(self, *arguments: str) -> str:
        """Run a `dvc repro` that must fail and return its output, which must hold no traceback."""
        output = self.run("dvc", "repro", *arguments, check=False)
        assert "Traceback" not in output, output
        return output

    def set(self, **changes: Any) -> None:
        """Change params.yaml; keys are dotted paths with ``__`` for the dots."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            *parents, last = key.split("__")
            section = params
            for parent in parents:
                section = section[parent]
            section[last] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def commit(self, message: str) -> None:
        """Commit everything that git tracks or would track."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def copy(self, root: Path) -> Project:
        """Return an independent copy; the DVC cache, whose files never change, is hard-linked."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("cache", ".cache"))
        cache = root / ".dvc" / "cache"
        shutil.copytree(self.root / ".dvc" / "cache", cache, copy_function=os.link)
        if (self.root / ".cache").exists():
            shutil.copytree(self.root / ".cache", root / ".cache", dirs_exist_ok=True)
        return Project(root)


def ran(output: str) -> set[str]:
    """Return the stages that DVC says it ran, not those it restored from the run cache."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def copy_checkout(to: Path, without: tuple[str, ...]) -> None:
    """Copy the files that git tracks or would track, but for those whose paths begin with one of ``without``."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file() and not name.startswith(without):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, to / name)


def new_project(root: Path, sources: list[str]) -> Project:
    """Return a project with this working tree's files and ten photographs, not yet reproduced."""
    copy_checkout(root, without=("dvc.lock", "metrics/"))
    project = Project(root)
    paths = add_photographs(project, range(IMAGES))
    rows = "".join(f"{path},{text}\n" for path, text in paths.items())
    (root / "labels.csv").write_text(f"path,text\n{rows}")
    project.set(
        data__images="data/images", label__sources=sources, label__human__path="labels.csv",
        label__imagenet__threshold=0.02, retrieve__fields=[], retrieve__systems=["builtin"],
        models__builtin__views=["whole"],
    )  # fmt: skip
    project.run("git", "init", "-q", "-b", "main")
    write_plot_files(root / ".dvc")
    project.commit("a project")
    return project


def add_photographs(project: Project, numbers: range) -> dict[str, str]:
    """Put cut-outs on white into data/images and return ``{path: text}``, the text from its name."""
    cutouts = sorted((REPOSITORY / "sample" / "cutouts").glob("*.webp"))
    texts = {}
    for number in numbers:
        cutout = cutouts[number * 7 % len(cutouts)]
        path = f"{number % 2}/photo {number}.jpg"
        target = project.root / "data" / "images" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(cutout) as image:
            layer = image.convert("RGBA")
            page = Image.new("RGBA", layer.size, "white")
            Image.alpha_composite(page, layer).convert("RGB").save(target, quality=85)
        texts[path] = cutout.stem.replace("-", " ")
    return texts


def tiny_model(folder: Path, *, dimension: int = 16, image_width: int = 32, text_width: int = 16) -> None:
    """Write an open_clip checkpoint directory with random weights: two towers of one layer, so wide."""
    config = {
        "embed_dim": dimension,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": image_width,
            "patch_size": 16,
            "head_width": 16,
        },
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": text_width, "heads": 1, "layers": 1},
    }
    random_checkpoint(folder, config)


def random_checkpoint(folder: Path, config: dict[str, Any]) -> None:
    """Write an open_clip checkpoint directory with random weights, the same each time."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    made = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    network = made(**{key: value for key, value in config.items() if key != "custom_text"})
    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file(weights, folder / "open_clip_model.safetensors")


def tiny_bert_model(folder: Path) -> None:
    """Write an open_clip checkpoint directory with random weights whose text tower is Hugging Face's BERT, of one layer."""
    text = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    sizes = {"intermediate_size": 16, "vocab_size": 30522, "max_position_embeddings": 16}
    tower = folder.with_name(f"{folder.name}-text")
    tower.mkdir()
    (tower / "config.json").write_text(json.dumps(text | sizes))
    config = {
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
        "text_cfg": {
            "context_length": 16,
            "hf_model_name": str(tower),
            "hf_model_pretrained": False,
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
        },
    }
    random_checkpoint(folder, config)
    (tower / "config.json").rename(folder / "config.json")
    tower.rmdir()
