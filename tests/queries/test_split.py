"""The split of fine-tuning: whole components, honest sizes, and a leak that is planted is caught."""

from pathlib import Path

import numpy as np
import pytest

from stages.split import main
from tests.support.pipeline import REPOSITORY, tiny_model
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.encoders.settings import Model
from text2image.formats.files import sha256, write_json
from text2image.formats.origins import text_origins
from text2image.formats.tables import write_csv
from text2image.labels.protocol.source import Label
from text2image.params import load_params
from text2image.queries.judgements import JudgementRow
from text2image.queries.split import (
    PARTS,
    TEST,
    TRAIN,
    SplitRow,
    assign,
    divide,
    leaks,
    read_split,
    sizes,
    split_rows,
    write_split,
)

SHARES = {"train": 0.5, "validation": 0.2, "test": 0.3}


def random_data(seed: int) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Return relevance and near-duplicate groups in which images share texts and texts share images."""
    generator = np.random.default_rng(seed)
    group_of = {f"i{n:03}": int(generator.integers(0, 60)) for n in range(90)}
    relevance = {
        f"q{n:03}": {f"i{i:03}": 2 for i in generator.integers(0, 80, generator.integers(1, 3))}
        for n in range(40)
    }
    return relevance, group_of


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_on_two_sides_and_nothing_is_lost(seed: int) -> None:
    relevance, group_of = random_data(seed)
    rows = divide(relevance, {query: f"text {query}" for query in relevance}, group_of, SHARES, seed)
    assert leaks(rows, group_of) == []
    assert {row.image_id for row in rows} == group_of.keys()
    pairs = {(row.query_id, row.image_id) for row in rows if row.query_id}
    assert pairs == {(query, image) for query, images in relevance.items() for image in images}


def test_parts_get_their_shares_where_components_allow() -> None:
    component_of = {f"q{n:03}": n for n in range(100)}
    for seed in (1, 2):
        counts = {part: list(assign(component_of, SHARES, seed).values()).count(part) for part in PARTS}
        assert counts == {"train": 50, "validation": 20, "test": 30}
    assert assign(component_of, SHARES, 1) != assign(component_of, SHARES, 2)


def test_a_giant_component_is_never_broken_and_its_size_is_said() -> None:
    component_of = {f"q{n:03}": max(0, n - 89) for n in range(100)}  # 90 queries hang together
    part_of = assign(component_of, SHARES, 1)
    assert len({part_of[query] for query, component in component_of.items() if component == 0}) == 1
    group_of = {f"i{query[1:]}": component for query, component in component_of.items()}
    relevance = {query: {f"i{query[1:]}": 2} for query in component_of}
    table = sizes(split_rows(relevance, dict.fromkeys(relevance, "t"), part_of, group_of), group_of)
    assert max(row["largest_component"] for row in table.values()) == 90
    assert sum(row["queries"] for row in table.values()) == 100


def test_an_image_without_a_text_follows_its_copy_or_is_a_distractor_of_the_test() -> None:
    rows = split_rows({"q": {"a": 2}}, {"q": "t"}, {"q": TRAIN}, {"a": 1, "copy": 1, "alone": 2})
    assert rows == [
        SplitRow(TEST, "alone", "", "", 0),
        SplitRow(TRAIN, "a", "q", "t", 2),
        SplitRow(TRAIN, "copy", "", "", 0),
    ]


@pytest.mark.parametrize(
    ("planted", "caught"),
    [
        (SplitRow("test", "i1", "q9", "nine", 2), "image i1 is in train and test"),
        (SplitRow("test", "copy", "q9", "nine", 2), "near-duplicate group 1 is in train and test"),
        (SplitRow("validation", "i2", "q1", "one", 2), r"query q1 “one” is in train and validation"),
    ],
)
def test_a_planted_leak_is_caught(planted: SplitRow, caught: str, tmp_path: Path) -> None:
    group_of = {"i1": 1, "copy": 1, "i2": 2}
    sound = [SplitRow("train", "i1", "q1", "one", 2)]
    path = tmp_path / "run.csv"
    write_split(path, sound, group_of)
    assert read_split(path, group_of) == sound
    with pytest.raises(InputError, match=caught):
        write_split(path, [*sound, planted], group_of)
    write_csv(path, SplitRow._fields, [*sound, planted])
    with pytest.raises(InputError, match=caught):
        read_split(path, group_of)


def test_learning_from_labels_that_the_base_model_wrote_is_said_to_prove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "tiny")
    weights = sha256(tmp_path / "tiny" / "open_clip_model.safetensors")
    images = [f"{number:016x}" for number in range(12)]
    rows = [(f"{image}.png", image, 9, 9, "PNG", group) for group, image in enumerate(images)]
    write_csv(ARTIFACTS.catalog, ("path", "image_id", "width", "height", "format", "near_group"), rows)
    write_csv(ARTIFACTS.judgements, JudgementRow._fields, [])
    for source in ("human", "imagenet"):
        labels = [Label(image, f"{source} says guitar {image}", None) for image in images]
        write_csv(ARTIFACTS.labels(source), Label._fields, labels)
        write_json(ARTIFACTS.origins(source), text_origins(source))
    write_json(ARTIFACTS.origins("imagenet"), text_origins("imagenet") | {f"sha256:{weights}": "tiny"})
    params = load_params(REPOSITORY / "params.yaml")
    run = params.finetune.runs["builtin-tuned"].model_copy(
        update={"base": "tiny", "sources": ["human", "imagenet"]}
    )
    tiny = Model(name="local-dir:tiny", pretrained=None, context_length=None)
    finetune = params.finetune.model_copy(update={"runs": {"run": run}})
    main(params.model_copy(update={"finetune": finetune, "models": {"tiny": tiny}}), "run")
    said = capsys.readouterr().err
    assert "split run: imagenet labels test neither tiny nor a model made from it" in said
    assert "human labels" not in said
