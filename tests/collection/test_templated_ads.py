"""What the catalog calls near-duplicates, on advertisements of templates that nothing was tuned on."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.pipeline import REPOSITORY
from tests.support.templates import write_templated_ads
from text2image.collection.catalog import group_entries, read_folder
from text2image.collection.scan import scan
from text2image.params import load_params
from text2image.sample.quality import pair_quality

SEEDS = (27182, 57721)
"""Looked at by nobody while near-duplicates were built; replace them by others if they are."""

TEMPLATES = 30


def found(folder: Path, seed: int) -> pd.DataFrame:
    """Write the ads of one seed and return what is known of each image, and the group that it was given."""
    truth = pd.DataFrame(write_templated_ads(folder, seed, TEMPLATES)).set_index("path")
    entries, _ = read_folder(folder, 10_000_000, scan(folder))
    settings = load_params(REPOSITORY / "params.yaml").catalog
    groups, _ = group_entries(folder, entries, settings.near_duplicate_bits, settings.near_duplicate_levels)
    given = pd.Series(groups, index=[entry.path for entry in entries])
    return truth.assign(near_group=f"{seed}/" + given.astype(str), campaign=f"{seed}/" + truth["campaign"])


@pytest.fixture(scope="module")
def quality(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("templated")
    images = pd.concat([found(folder / str(seed), seed) for seed in SEEDS])
    return pair_quality(images.assign(picture=images["campaign"] + images["picture"]))


@pytest.mark.slow
def test_pairs_are_the_same_picture(quality: dict[str, Any]) -> None:
    assert quality["true_pairs"] == len(SEEDS) * TEMPLATES
    assert quality["precision"] >= 0.98
    assert quality["recall"] >= 0.9


@pytest.mark.slow
def test_whatever_altered_the_copy(quality: dict[str, Any]) -> None:
    assert min(of["true_pairs"] for of in quality["alterations"].values()) == len(SEEDS) * TEMPLATES // 6
    assert {name: of["recall"] for name, of in quality["alterations"].items() if of["recall"] < 0.9} == {}


@pytest.mark.slow
def test_whatever_the_ads_of_a_template_differ_in(quality: dict[str, Any]) -> None:
    shown = {name: of for name, of in quality["differences"].items() if name != "design"}
    assert min(of["different_pairs"] for of in shown.values()) > 100
    assert {name: of for name, of in shown.items() if of["precision"] < 0.98} == {}
