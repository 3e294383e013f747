"""A folder with systems of all kinds, as the pipeline leaves it before its stage `systems`: no DVC, no model that takes long."""

import json
from typing import Any

import numpy as np

from tests.support.chat_server import ChatServer
from tests.support.reranking import count_pairs
from tests.support.workplace import Workplace, picture_id
from text2image.artifacts import ARTIFACTS
from text2image.formats.fields import FieldText, write_fields
from text2image.formats.files import write_array, write_json
from text2image.formats.searched import write_searched
from text2image.formats.texts import Query, query_id
from text2image.formats.trec import write_qrels, write_queries
from text2image.formats.views import ViewRow, write_views

QUERIES = ["red shoe", "blue hat", "summer sale"]
IMAGES = 8
TEXTS = ["summer sale", "red shoe", "", "hat : blue hat", "dogs", "red", "winter sale", "the blue shoes"]
SYSTEMS: dict[str, Any] = {
    "meant": {"kind": "meaning", "fields": ["ocr"], "model": "set below"},
    "second": {"kind": "rerank", "of": "builtin", "depth": 3},
    "third": {"kind": "rerank", "of": "meant", "by": "set below", "fields": ["ocr"], "depth": 4},
    "all": {"kind": "fusion", "of": ["second", "third"], "weights": {"second": 1.0, "third": 0.5}},
}


def set_up_systems(workplace: Workplace, server: ChatServer, models: dict[str, str]) -> Workplace:
    """Write what the stages `systems` and `retrieve` read; ``models``: folders of a text encoder and of a cross-encoder."""
    count_pairs(server)
    server.script.content = lambda pair: json.dumps({"reason": "so", "grade": int(pair[0], 16) % 4})
    workplace.images(IMAGES)
    ids = sorted(picture_id(number) for number in range(IMAGES))
    described = {name: dict(system) for name, system in SYSTEMS.items()}
    described["meant"]["model"], described["third"]["by"] = models["encoder"], models["cross"]
    workplace.params["label"]["sources"] = ["human"]
    workplace.params["systems"] = described
    workplace.params["retrieve"] |= {"systems": ["builtin", *described], "fields": ["ocr"]}
    workplace.params["runtime"]["device"] = "cpu"
    workplace.set()
    write_queries(ARTIFACTS.queries("human"), [Query(query_id(text), text, ()) for text in QUERIES])
    write_qrels(ARTIFACTS.qrels("human"), {query_id(text): {ids[n]: 1} for n, text in enumerate(QUERIES)})
    write_searched(ARTIFACTS.searched, ids)
    random = np.random.default_rng(1)
    for path, n in (
        (ARTIFACTS.image_vectors("builtin"), IMAGES),
        (ARTIFACTS.query_vectors("builtin", "human"), 3),
    ):
        rows = random.normal(size=(n, 4))
        write_array(path, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    write_views(ARTIFACTS.views("builtin"), [ViewRow(image_id, "whole") for image_id in ids])
    card = {
        "name": "x",
        "files": {"w.bin": "1"},
        "origins": {"sha256:1": "builtin"},
        "size": {"weight_bytes": 5},
    }
    write_json(ARTIFACTS.card("builtin"), card)
    texts = [FieldText(one, text, 0.9) for one, text in zip(ids, TEXTS, strict=True) if text]
    write_fields(ARTIFACTS.field("ocr"), texts)
    write_json(ARTIFACTS.field_origins("ocr"), {"labels:ocr": "the texts of ocr"})
    return workplace
