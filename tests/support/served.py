"""Both pages as commands serve them, in processes of their own: real servers on loopback, over a small gallery and a tiny model."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from PIL import Image

from tests.support.pictures import encoded
from tests.support.pipeline import REPOSITORY, tiny_model
from tests.support.workplace import picture
from text2image.artifacts import Artifacts
from text2image.collection.images import image_id
from text2image.encoders.models.card import describe
from text2image.encoders.settings import Model
from text2image.formats.files import write_array, write_json, write_text
from text2image.formats.searched import write_searched
from text2image.formats.tables import write_csv
from text2image.formats.texts import Query, query_id
from text2image.formats.trec import write_qrels, write_queries
from text2image.formats.views import ViewRow, write_views

TEXTS = ["red shoe", "blue hat", "summer sale"]
DIMENSION = 16
CALL, JOIN = "/gradio_api/component_server/", "/gradio_api/queue/join"


def make_gallery(root: Path, names: list[str]) -> dict[str, str]:
    """Write all that the pages read of a project with images of these names, and return ``{image_id: name}``."""
    files, ids = Artifacts(root), {}
    for number, name in enumerate(names):
        content = encoded(picture(number).resize((900, 600)))
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / name).write_bytes(content)
        ids[image_id(content)] = name
    model = Model(name=f"local-dir:{root / 'tiny'}", pretrained=None, context_length=None)
    tiny_model(root / "tiny", dimension=DIMENSION)
    _write_params(root, model)
    write_json(files.card("builtin"), describe("builtin", model))
    write_json(files.system("builtin"), {"origins": {"sha256:1": "builtin"}})
    write_json(files.origins("human"), {})
    gallery = sorted(ids)
    write_csv(files.manifest, ("image_id", "path"), [(one, ids[one]) for one in gallery])
    rows = [(name, one, 900, 600, "PNG", number) for number, (one, name) in enumerate(ids.items())]
    write_csv(files.catalog, ("path", "image_id", "width", "height", "format", "near_group"), rows)
    labels = [(gallery[number % len(gallery)], text, 1.0) for number, text in enumerate(TEXTS)]
    write_csv(files.labels("human"), ("image_id", "text", "confidence"), labels)
    write_csv(files.left_out("human"), ("query_id", "text", "reason"), [])
    write_queries(files.queries("human"), [Query(query_id(text), text, ()) for text in TEXTS])
    write_qrels(files.qrels("human"), {query_id(text): {one: 1} for one, text, _ in labels})
    write_searched(files.searched, gallery)
    vectors = np.random.default_rng(1).normal(size=(len(gallery), DIMENSION))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    write_array(files.image_vectors("builtin"), unit.astype(np.float32))
    write_views(files.views("builtin"), [ViewRow(one, "whole") for one in gallery])
    run = [
        f"{query_id(text)} Q0 {one} {rank} {1 / rank:.6f} builtin"
        for text in TEXTS for rank, one in enumerate(gallery, start=1)
    ]  # fmt: skip
    write_text(files.run("builtin", "human"), "".join(f"{line}\n" for line in run))
    return ids


def _write_params(root: Path, model: Model) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = "images"
    params["label"]["sources"] = ["human"]
    params["models"]["builtin"] = {"name": model.name, "pretrained": None, "context_length": None}
    params["retrieve"] = {"systems": ["builtin"], "fields": [], "depth": 100}
    params["systems"] = {}
    params["judge"]["depth"] = 100
    params["runtime"]["device"] = "cpu"
    (root / "params.yaml").write_text(yaml.safe_dump(params))


class Served:
    """A page at a port of loopback, and the process that serves it."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port, self.process = port, process

    def ask(
        self, method: str, path: str, body: bytes = b"", seconds: float = 30, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request as the page itself would, and return the status and the content of the answer."""
        own = {"Origin": f"http://127.0.0.1:{self.port}"} if method == "POST" else {}
        if path.startswith("/gradio_api"):
            own["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            wanted = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, own | wanted)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def peak(self) -> int:
        """Return the most memory that the process has had at once, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024

    def grade_call(self, data: Any) -> bytes:
        """Return the body of the call with which the search page keeps a grade."""
        page = self.ask("GET", "/")[1]
        config = json.loads(re.findall(rb"window\.gradio_config = (.*?);</script>", page)[0])
        part = next(
            one["id"] for one in config["components"] if "judge" in one["props"].get("server_fns", ())
        )
        return json.dumps(
            {"data": data, "component_id": part, "fn_name": "judge", "session_hash": "s"}
        ).encode()


@contextmanager
def served(root: Path, *command: str) -> Iterator[Served]:
    """Serve a page by a command of t2i; what it says may hold no traceback, and it ends by itself at Ctrl-C."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_ROOT": str(root), "HF_HUB_OFFLINE": "1"}
    log = root / f"{command[0]}.log"
    with log.open("w") as out, subprocess.Popen(
        [sys.executable, "-m", "text2image.cli", *command], cwd=root, env=environment, stderr=out, stdout=out
    ) as process:  # fmt: skip
        try:
            while not (found := re.search(r" at http://127\.0\.0\.1:(\d+)/ .*\n", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield Served(int(found[1]), psutil.Process(process.pid))
            process.send_signal(signal.SIGINT)
            process.wait(20)
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


def bomb(side: int = 5_600) -> bytes:
    """Return a PNG of some hundred kilobytes that holds 31 megapixels."""
    return encoded(Image.new("RGB", (side, side), "red"))
