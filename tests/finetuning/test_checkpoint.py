"""What is kept of a run: a killed one goes on, a finished one is not trained again."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages import finetune
from tests.finetuning.tiny import CLIP, REPOSITORY, base, pictures, run_once, settings, tiny
from text2image.artifacts import ARTIFACTS
from text2image.collection import images
from text2image.encoders import vectors
from text2image.encoders.models.card import describe
from text2image.finetuning import checkpoint
from text2image.finetuning.loop import Trainer
from text2image.formats.files import write_json
from text2image.formats.tables import write_csv
from text2image.params import Params, load_params
from text2image.queries.split import write_split

RUN = """
import sys
import torch
from safetensors.torch import save_file
from tests.finetuning.tiny import base, run_once, settings
from text2image.encoders.settings import Model
torch.set_num_threads(1)
run = settings(epochs=12, patience=12, train="last_blocks", dropout=0.5)
epochs = []
def log(row):
    epochs.append(row)
    print("epoch", len(epochs) - 1, flush=True)
start = base(Model(name="local-dir:tiny", pretrained=None, context_length=None))
tuned = run_once(start, run, log)
save_file({k: v.contiguous() for k, v in tuned.network.state_dict().items()}, sys.argv[1])
"""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The numbers of the epochs that are trained."""
    numbers: list[int] = []
    epoch = Trainer.epoch

    def counted(self: Trainer, number: int) -> dict[str, float]:
        numbers.append(number)
        return epoch(self, number)

    monkeypatch.setattr(Trainer, "epoch", counted)
    yield numbers


def kept() -> list[str]:
    """Return what is kept of runs, without its keys."""
    return sorted(f"{p.parent.parent.name}/{p.name}" for p in Path(".cache/tuning").rglob("*") if p.is_file())


def test_a_finished_run_is_not_trained_again(trained: list[int]) -> None:
    described, rows = tiny(CLIP), list[dict[str, float]]()
    first = run_once(base(described), settings(train="last_blocks"))
    assert trained == [0, 1, 2]
    second = run_once(base(described), settings(train="last_blocks"), rows.append)
    assert trained == [0, 1, 2]
    assert rows == first.progress.history
    weights = second.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.network.state_dict().items())
    assert kept() == ["run/finished.pt"]


@pytest.mark.slow
def test_other_determinants_train_and_take_the_place_of_what_was_kept(
    trained: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = tiny(CLIP)

    def trains(seed: int) -> bool:
        trained.clear()
        run_once(base(described), settings(epochs=1, seed=seed))
        return bool(trained)

    assert trains(1) and not trains(1)
    assert trains(2) and not trains(2)
    assert kept() == ["run/finished.pt"]
    for module, version in ((vectors, "PREPROCESSING"), (images, "DECODING")):
        with monkeypatch.context() as changed:
            changed.setattr(module, version, getattr(module, version) + 1)
            assert trains(2), version
    copy = tmp_path / "package"
    shutil.copytree(checkpoint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(checkpoint, "PACKAGE", copy)
    assert trains(2) and not trains(2)
    for name, determines in (("report.py", False), ("network/parts.py", True)):
        with (copy / name).open("a") as file:
            file.write("# an edit\n")
        assert trains(2) == determines, name


def test_what_another_experiment_is_writing_stays(trained: list[int]) -> None:
    going = checkpoint.Checkpoint("run", "another experiment")
    going.save({"epoch": 1})
    run_once(base(tiny(CLIP)), settings(epochs=1))
    assert kept() == ["run/checkpoint.pt", "run/finished.pt"]
    assert going.load(torch.device("cpu")) == {"epoch": 1}


def project() -> Params:
    """Write what the stage reads, and return its parameters."""
    described, data = tiny(CLIP), pictures()
    groups = [(image, group) for image, group in data.group_of.items()]
    write_csv(ARTIFACTS.catalog, ("image_id", "near_group"), groups)
    write_csv(ARTIFACTS.manifest, ("image_id", "path"), [(i, image.path) for i, image in data.files.items()])
    write_split(ARTIFACTS.split("run"), data.split, data.group_of)
    write_json(ARTIFACTS.base_card("run"), describe("tiny", described) | {"licence": described.licence})
    params = load_params(REPOSITORY / "params.yaml")
    runs = params.finetune.model_copy(update={"runs": {"run": settings()}})
    here = params.data.model_copy(update={"images": "."})
    return params.model_copy(update={"finetune": runs, "data": here})


def outputs() -> dict[str, bytes]:
    """Return what the stage has written, and remove it, as DVC does before the stage runs again."""
    folders = [Path("data/tuned"), Path("plots"), Path("metrics")]
    files = {str(p): p.read_bytes() for folder in folders for p in folder.rglob("*") if p.is_file()}
    for folder in folders:
        shutil.rmtree(folder)
    return files


def test_a_rerun_of_the_stage_writes_the_same_bytes_and_trains_nothing(trained: list[int]) -> None:
    params = project()
    finetune.main(params, "run")
    first = outputs()
    assert trained == [0, 1, 2]
    assert {
        "data/tuned/run/README.md",
        "metrics/finetune/run.json",
        "plots/finetune/run/wise_ft.csv",
    } < first.keys()
    assert b"license: mit" in first["data/tuned/run/README.md"]
    finetune.main(params, "run")
    assert outputs() == first
    assert trained == [0, 1, 2]
    shutil.rmtree(".cache/tuning")
    finetune.main(params, "run")
    assert outputs() == first, "nothing that a clock measured is among them"
    assert trained == [0, 1, 2, 0, 1, 2]


def start(root: Path, out: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, out], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


@pytest.mark.slow
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
    assert killed.wait(300) == -signal.SIGKILL, killed.stderr.read()
    assert not Path("never.safetensors").exists()
    resumed = start(tmp_path / "killed", "resumed.safetensors")
    output, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert undisturbed.wait(300) == 0
    assert undisturbed.stdout is not None
    assert output == undisturbed.stdout.read(), "the earlier epochs are logged again, none is missing"
    calm, again = load_file("calm.safetensors"), load_file("resumed.safetensors")
    assert all(torch.equal(calm[name], again[name]) for name in calm)
    assert not list((tmp_path / "killed" / ".cache" / "tuning").rglob("checkpoint.pt"))
