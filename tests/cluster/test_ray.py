"""runtime.engine: ray, on real Ray processes: two nodes on this machine, one of them killed; and a local one."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw

from tests.support.pictures import image_file
from tests.support.pipeline import REPOSITORY, tiny_model
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.cluster import pipeline
from text2image.cluster.actor import Outcome, Work
from text2image.cluster.connection import connected
from text2image.cluster.engine import source_on_engine
from text2image.cluster.pipeline import Pool, choose_pool, map_images
from text2image.cluster.workers import embed_on_cluster
from text2image.collection.images import image_id, open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.card import describe
from text2image.encoders.settings import Model
from text2image.encoders.vectors import embed_images_here
from text2image.labels.protocol.answers import all_determinants, collect_answers, store_kind
from text2image.labels.protocol.source import ComputedSource
from text2image.params import Params, load_params

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None,
    reason="Ray is not installed: pip install 'text2image-retrieval[ray]'",
)
PICTURES = 100
SURVIVES = {  # a lost node is noticed within seconds
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}


class Nodes:
    """Two nodes of one logical CPU each: the head, which this process is connected through, and another."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
        self.cluster = Cluster(
            initialize_head=True, head_node_args={**self._node, "_system_config": SURVIVES}
        )
        self.other: Any = None

    def complete(self) -> None:
        """Start the other node, at first and after it was killed."""
        if self.other is None:
            self.other = self.cluster.add_node(**self._node)

    def kill_other(self) -> str:
        """Kill all processes of the other node and return its id."""
        node, self.other = self.other, None
        self.cluster.remove_node(node, allow_graceful=False)
        return str(node.node_id)


@pytest.fixture(scope="module")
def _nodes() -> Iterator[Nodes]:
    folder = tempfile.mkdtemp(prefix="ray-test-")  # short: the paths of sockets are limited
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Nodes()
        patch.setenv("RAY_ADDRESS", nodes.cluster.address)
        yield nodes
        nodes.cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def nodes(_nodes: Nodes) -> Nodes:
    _nodes.complete()
    return _nodes


@pytest.fixture
def params() -> Params:
    return with_runtime(load_params(REPOSITORY / "params.yaml"))


def with_runtime(params: Params, **changes: Any) -> Params:
    ray = params.runtime.ray.model_copy(update=changes)
    runtime = params.runtime.model_copy(update={"device": "cpu", "workers": 1, "ray": ray})
    return params.model_copy(update={"runtime": runtime})


def picture(path: Path, number: int, side: int) -> ImageFile:
    """Write a picture with some words on it."""
    noise = Image.effect_noise((side, side * 3 // 4), 20 + 5 * number).convert("RGB")
    draw = ImageDraw.Draw(noise)
    draw.rectangle((0, 0, side, side // 4), fill=(90, 20 * number, 200))
    draw.text((side // 20, side // 20), f"SALE NUMBER {number}", fill="white", font_size=side // 12)
    noise.save(path)
    return image_file(path)


def after_the_end(jpeg: bytes, number: int) -> bytes:
    """Return another file with the same picture: what follows a JPEG's end changes no pixel."""
    return jpeg + number.to_bytes(1, "little")


def watch(monkeypatch: pytest.MonkeyPatch, seen: Callable[[Outcome], None]) -> None:
    """Call ``seen`` with every outcome before it is handed on."""
    outcomes = pipeline.outcomes

    def watched(*arguments: Any) -> Iterator[Outcome]:
        for outcome in outcomes(*arguments):
            seen(outcome)
            yield outcome

    monkeypatch.setattr(pipeline, "outcomes", watched)


@needs_ray
@pytest.mark.timeout(200)
def test_a_killed_node_loses_nothing_and_the_bytes_are_those_of_one_machine(
    nodes: Nodes, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten large pictures, each in ten files, so that there is work left when a node is killed.

    Two actors are at work on two logical CPUs, and then on one: with whole CPUs claimed they would starve
    Ray Data's own tasks, or wait for room.
    """
    monkeypatch.chdir(tmp_path)
    tiny_model(Path("tiny"))
    model = Model(name="local-dir:tiny", pretrained=None, context_length=None)
    card = describe("tiny", model)
    files = [picture(Path(f"{number}.jpg"), number, 1400) for number in range(10)]
    here = dict(
        row
        for batch in embed_images_here("tiny", card, "fp32", "cpu", params.runtime, files)
        for row in batch
    )
    Path("sub").mkdir()
    original = {}
    for copy in range(10):
        for file in files:
            path = Path("sub", "..", f"{copy}-{file.path}")
            path.write_bytes(after_the_end(file.path.read_bytes(), copy))
            original[image_file(path)] = file
    many = list(original)
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    dead = ""

    def seen(outcome: Outcome) -> None:
        nonlocal dead
        (after if dead else before)[outcome.node] += 1
        if not dead and before[nodes.other.node_id] == 3:
            dead = nodes.kill_other()

    watch(monkeypatch, seen)
    small = with_runtime(params, images_per_task=2)
    there = [
        row for batch in embed_on_cluster("tiny", card, "fp32", "cpu", small.runtime, many) for row in batch
    ]
    assert before[dead] == 3, "the node had worked"
    assert sum(before.values()) < len(many) / 4, "it was killed in the middle"
    assert after[dead] <= 4, "what it had finished may still have been on its way"
    assert len(there) == len(many)
    assert dict(there) == {image.key: here[file.key] for image, file in original.items()}


@needs_ray
def test_labels_are_those_of_one_machine(
    nodes: Nodes, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(tmp_path / f"{number}.png", number, 320) for number in range(6)]
    monkeypatch.chdir(tmp_path)
    kept = {}
    for engine in ("local", "ray"):
        monkeypatch.setenv("DVC_ROOT", str(tmp_path / engine))
        runtime = params.runtime.model_copy(update={"engine": engine})
        changed = params.model_copy(update={"runtime": runtime})
        source = source_on_engine("ocr", changed.label.ocr, changed.runtime)
        assert isinstance(source, ComputedSource)
        assert len(collect_answers("ocr", source, images, changed.runtime)) == len(images)
        with Store(store_kind("ocr"), all_determinants(source)) as store:
            kept[engine] = sorted(store.get(image.image_id for image in images))
    assert b"NUMBER" in kept["local"][0][1]
    assert kept["ray"] == kept["local"]


def opener() -> Callable[[Runtime], Work]:
    """Return a model that opens images and fails at one called ``defect``; sent as it is, without this module."""

    def start(runtime: Runtime) -> Work:
        def work(images: Sequence[ImageFile]) -> Iterator[tuple[str, bytes]]:
            for image in images:
                if image.image_id == "defect":
                    raise ZeroDivisionError("division by zero")
                yield image.key, open_image(image).tobytes()[:9]

        return work

    return start


def failure(images: Sequence[ImageFile], params: Params) -> tuple[set[str], str]:
    """Return which images came back before the error, and its sentence."""
    came: set[str] = set()
    with pytest.raises(InputError) as error:
        for batch in map_images(opener(), images, params.runtime, (2, None)):
            came.update(image_id for image_id, _ in batch)
    return came, str(error.value)


@needs_ray
def test_what_goes_wrong_on_a_worker_is_one_sentence(nodes: Nodes, params: Params, tmp_path: Path) -> None:
    good, changed, hidden = (
        picture(tmp_path / f"{name}.png", 1, 64) for name in ("good", "changed", "hidden")
    )
    damaged = Path(str(changed.path))
    damaged.write_bytes(damaged.read_bytes()[:999])
    with connected():
        came, sentence = failure([good, changed], params)
        assert came == {good.key}, "what was finished before is kept"
        assert (
            f"expected {changed.path} as data/catalog.csv lists it ({changed.image_id}), found other bytes"
            in sentence
        )

        came, sentence = failure([good, good._replace(image_id="defect")], params)
        assert came == {good.key}
        assert "found ZeroDivisionError: division by zero (test_ray.py, line" in sentence

        if sys.platform == "linux":  # a path that this process alone can open
            with Path(str(hidden.path)).open("rb") as file:
                os.dup2(file.fileno(), 900)
            _, sentence = failure([ImageFile(hidden.image_id, Path("/proc/self/fd/900"))], params)
            os.close(900)
            assert (
                "expected every machine of the Ray cluster to see /proc/self/fd/900, found that" in sentence
            )
            assert "does not; put data.images" in sentence


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a user without a cluster, whose Ray puts its files into ``folder``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "DVC_"))}
    return kept | {
        "RAY_TMPDIR": str(folder), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="ray-test-")
    yield Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


def stage_folder(root: Path) -> Path:
    """Write what the stage ``embed_images tiny`` reads: params, manifest, card, model and pictures."""
    tiny_model(root / "tiny")
    settings = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    settings["models"]["tiny"] = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
    settings["embed"]["models"], settings["data"]["images"] = ["tiny"], "pictures"
    settings["retrieve"]["systems"] = ["tiny"]
    settings["runtime"] |= {"engine": "ray", "device": "cpu", "ray": {"actors": None, "images_per_task": 2}}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    (root / "pictures").mkdir()
    (root / "data" / "models").mkdir(parents=True)
    first = picture(root / "pictures" / "0.jpg", 0, 2400).path.read_bytes()
    rows = []
    for number in range(PICTURES):
        content = after_the_end(first, number)
        (root / "pictures" / f"{number}.jpg").write_bytes(content)
        rows.append(f"{image_id(content)},{number}.jpg\n")
    (root / "data" / "manifest.csv").write_text("image_id,path\n" + "".join(rows))
    card = describe("tiny", Model(name=f"local-dir:{root / 'tiny'}", pretrained=None, context_length=None))
    (root / "data" / "models" / "tiny.json").write_text(json.dumps(card | {"name": "local-dir:tiny"}))
    return root


def stored(root: Path) -> dict[str, bytes]:
    """Return what the only store under a folder holds."""
    for path in root.glob(".cache/embeddings/*.sqlite"):
        with closing(sqlite3.connect(path, timeout=30)) as database:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone():
                return dict(database.execute("SELECT key, value FROM results"))
    return {}


def processes_of(folder: Path) -> list[str]:
    """Return the processes whose command line names a folder."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


@needs_ray
@pytest.mark.slow
def test_an_interrupted_stage_ends_cleanly_and_keeps_what_is_done(
    params: Params, tmp_path: Path, short_folder: Path
) -> None:
    """The stage itself, with a Ray of its own: Ctrl-C in the middle."""
    stage = stage_folder(tmp_path)
    running = subprocess.Popen(
        [sys.executable, "-m", "stages.embed_images", "tiny"], cwd=stage, start_new_session=True,
        env=environment(short_folder) | {"DVC_ROOT": str(stage)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while running.poll() is None and not stored(stage) and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        said = running.communicate(timeout=60)[1]
    finally:
        running.kill()
    assert running.returncode == 130, said
    assert "interrupted: finished work is kept" in said
    assert "Traceback" not in said
    assert not processes_of(short_folder)
    finished = stored(stage)
    assert 0 < len(finished) < PICTURES
    card = json.loads((stage / "data" / "models" / "tiny.json").read_text())
    card["name"] = f"local-dir:{stage / 'tiny'}"
    first = image_file(stage / "pictures" / "0.jpg")
    ((_, row),) = next(embed_images_here("tiny", card, "fp32", "cpu", params.runtime, [first]))
    assert set(finished.values()) == {row}, "one picture under many ids"


CPUS, GPUS = [{"CPU": 8.0}, {"CPU": 4.0}, {"CPU": 16.0}], [{"CPU": 4.0}, {"CPU": 32.0, "GPU": 4.0}]


@pytest.mark.parametrize(
    ("machines", "wanted", "on_gpus", "pool"),
    [
        ([{"CPU": 1.0}], None, False, Pool(1, 0.5, 0.0, 1)),
        ([{"CPU": 2.0}], 2, False, Pool(2, 0.5, 0.0, 2)),
        (CPUS, None, False, Pool(3, 2.0, 0.0, 1)),
        (CPUS, 12, False, Pool(12, 0.5, 0.0, 4)),
        ([{}, *CPUS], None, False, Pool(3, 2.0, 0.0, 1)),
        (GPUS, None, True, Pool(4, 0.0, 1.0, 4)),
        (GPUS, 9, True, Pool(4, 0.0, 1.0, 4)),
    ],
)
def test_the_pool_leaves_room(
    machines: list[dict[str, float]], wanted: int | None, on_gpus: bool, pool: Pool
) -> None:
    assert choose_pool(machines, wanted, on_gpus=on_gpus) == pool


def test_a_cluster_without_gpus_is_one_sentence(params: Params) -> None:
    with pytest.raises(InputError, match=r"expected a machine with a GPU .* found 3 machines without one"):
        choose_pool(CPUS, None, on_gpus=True)


def test_a_missing_package_names_the_extra(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        InputError, match=r"expected Ray for runtime.engine: ray .* pip install -e '\.\[ray\]'"
    ):
        next(map_images(opener(), [], params.runtime, (1, None)))


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:10001", "nonsense"])
def test_a_cluster_that_is_not_there_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=f"RAY_ADDRESS.*{address}"), connected():
        pass
