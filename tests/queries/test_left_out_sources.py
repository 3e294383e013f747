"""A label source that yields nothing is reported and left out, and every later stage stands its empty files."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import (
    audit,
    embed_queries,
    evaluate,
    examples,
    examples_labels,
    index,
    relevance,
    retrieve,
    systems,
)
from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.collection.images import image_id
from text2image.commands.judge import read_pool
from text2image.formats.files import write_array, write_json
from text2image.formats.origins import text_origins
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import read_qrels, read_queries, write_queries
from text2image.formats.views import ViewRow, write_views
from text2image.labels.protocol.labelling import summarise
from text2image.labels.protocol.source import Label, NoLabel
from text2image.pages.search.annotations import Annotations
from text2image.params import Params, load_params
from text2image.queries.asked import read_left_out_sources
from text2image.queries.judgements import JudgementRow
from text2image.queries.query import make_queries

MODEL = "builtin"
BELOW = "confidence below label.imagenet.threshold"
CARD = {
    "name": "m",
    "pretrained": None,
    "context_length": 77,
    "files": {},
    "size": {"weight_bytes": 8},
    "origins": {},
}


def parameters(*sources: str) -> Params:
    params = load_params(REPOSITORY / "params.yaml")
    data = params.data.model_copy(update={"images": "images"})
    label = params.label.model_copy(update={"sources": list(sources)})
    alone = params.retrieve.model_copy(update={"systems": [MODEL], "fields": []})
    return params.model_copy(update={"data": data, "label": label, "retrieve": alone})


def write_labels(source: str, labels: list[Label], without: list[NoLabel], images: list[str]) -> None:
    """Write what the stage ``label`` does."""
    words = {label.image_id: len(label.text.split()) for label in labels}
    write_csv(ARTIFACTS.labels(source), Label._fields, labels)
    write_csv(ARTIFACTS.without_label(source), NoLabel._fields, without)
    write_csv(
        ARTIFACTS.words(source), ("image_id", "words"), [(image, words.get(image, 0)) for image in images]
    )
    write_queries(ARTIFACTS.queries(source), make_queries((label.image_id, label.text) for label in labels))
    write_json(ARTIFACTS.origins(source), text_origins(source))
    write_json(ARTIFACTS.label_metrics(source), summarise(len(images), labels, without))


@pytest.fixture
def images(tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder with four images, catalogued and embedded; the label source ``imagenet`` has no label for any."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    paths = {}
    for number in range(4):
        path = Path("images", f"{number}.png")
        Image.new("RGB", (40, 30), (60 * number, 0, 0)).save(path)
        paths[image_id(path.read_bytes())] = path.name
    ids = sorted(paths)
    write_csv(ARTIFACTS.manifest, ("image_id", "path"), [(one, paths[one]) for one in ids])
    write_csv(
        ARTIFACTS.catalog,
        ("path", "image_id", "width", "height", "format", "near_group"),
        [(paths[one], one, 40, 30, "PNG", group) for group, one in enumerate(ids)],
    )
    write_csv(ARTIFACTS.judgements, JudgementRow._fields, [])
    write_json(ARTIFACTS.card(MODEL), CARD)
    write_array(ARTIFACTS.image_vectors(MODEL), np.eye(4, 8, dtype=np.float32))
    write_views(ARTIFACTS.views(MODEL), [ViewRow(one, "whole") for one in ids])
    labels = [Label(ids[0], "red shoe", None, "product"), Label(ids[1], "hat", None)]
    write_labels("human", labels, [], ids)
    write_array(ARTIFACTS.query_vectors(MODEL, "human"), np.eye(2, 8, dtype=np.float32))
    write_labels("imagenet", [], [NoLabel(one, BELOW) for one in ids], ids)
    return ids


def run_stages(params: Params) -> None:
    """Run every stage after the labels that reads them, as DVC does."""
    embed_queries.main(params, MODEL, "imagenet")
    relevance.main(params)
    systems.main(params)
    for source in params.label.sources:
        retrieve.main(params, MODEL, source)
    evaluate.main(params)
    audit.main(params)
    if find_spec("faiss"):  # an extra
        index.main(params, MODEL)
        assert list(json.loads(ARTIFACTS.index_metrics(MODEL).read_text())) == ["human"]
    for source in params.label.sources:
        examples.main(params, source)
        examples_labels.main(params, source)


def test_a_source_without_a_label_is_left_out_and_the_others_are_measured(
    images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    params = parameters("imagenet", "human")
    run_stages(params)
    reason = f"no image has a label (4: {BELOW})"
    assert read_left_out_sources(ARTIFACTS.left_out_sources) == {"imagenet": reason}
    assert f"relevance imagenet: left out of all figures, as {reason}" in capsys.readouterr().err
    metrics = json.loads(ARTIFACTS.metrics("metrics").read_text())
    assert list(metrics[MODEL]) == ["human"]
    assert metrics[MODEL]["human"]["n_queries"] == 2
    assert {kind: row["n_queries"] for kind, row in metrics[MODEL]["human"]["kinds"].items()} == {
        "product": 1
    }
    rows = read_csv(ARTIFACTS.results(MODEL, "human"), ["text", "kind"])
    assert {row["text"]: row["kind"] for row in rows} == {"hat": "", "red shoe": "product"}
    assert list(json.loads(ARTIFACTS.metrics("comparison").read_text())) == ["human"]
    of_labels = json.loads(ARTIFACTS.metrics("labels").read_text())["sources"]["imagenet"]
    assert (of_labels["coverage"], of_labels["shared_text_share"], of_labels["clip_score"]) == (
        0.0,
        None,
        {MODEL: None},
    )
    assert json.loads(ARTIFACTS.label_metrics("imagenet").read_text())["without_label"] == {BELOW: 4}
    assert read_csv(ARTIFACTS.audit("imagenet"), ["image_id", "finding", "why"]) == []
    for sheet in (
        "examples/imagenet/none",
        "labels/imagenet",
        "audit/imagenet",
        "examples/human/builtin-best",
    ):
        with Image.open(ARTIFACTS.sheet(sheet)) as picture:
            assert picture.width > 100, sheet
    annotations = Annotations(params.label.sources)
    assert annotations.examples(4) == ["hat", "red shoe"]
    with pytest.raises(
        InputError, match=r"expected queries of 'imagenet' to judge, found none: no image has a label"
    ):
        read_pool("imagenet", params, images)


def test_a_source_whose_queries_are_all_left_out_is_left_out(images: list[str]) -> None:
    write_labels("imagenet", [Label(one, "a photo", 0.9) for one in images], [], images)
    write_array(ARTIFACTS.query_vectors(MODEL, "imagenet"), np.eye(1, 8, dtype=np.float32))
    params = parameters("human", "imagenet")
    relevance.main(params)
    systems.main(params)
    for source in params.label.sources:
        retrieve.main(params, MODEL, source)
    evaluate.main(params)
    audit.main(params)
    assert read_left_out_sources(ARTIFACTS.left_out_sources) == {
        "imagenet": "all 1 queries are left out (1: too generic to search for)"
    }
    assert read_qrels(ARTIFACTS.qrels("imagenet")) == {}
    assert len(read_queries(ARTIFACTS.queries("imagenet"))) == 1
    assert list(json.loads(ARTIFACTS.metrics("metrics").read_text())[MODEL]) == ["human"]
    assert len(read_csv(ARTIFACTS.audit("imagenet"), ["image_id"])) == 4, (
        "the labels are audited all the same"
    )


@pytest.mark.usefixtures("images")
def test_no_usable_source_at_all_is_one_sentence_that_says_what_to_do() -> None:
    with pytest.raises(InputError) as error:
        relevance.main(parameters("imagenet"))
    assert str(error.value) == (
        "expected at least one query from imagenet (params key label.sources), found none: imagenet: no image has a "
        f"label (4: {BELOW}); add a source, or change params.yaml under label.imagenet or queries"
    )
