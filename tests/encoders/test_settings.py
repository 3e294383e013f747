"""What the entries of ``models:`` mean."""

from pathlib import Path

import pytest

from text2image.encoders.settings import Model


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("local-dir:data/tuned/some", "some"),
        ("local-dir:./data//tuned/some/", "some"),
        (f"local-dir:{Path.cwd()}/data/tuned/some", "some"),
        ("local-dir:data/models/some", None),
        ("local-dir:data/tuned", None),
        ("data/tuned/some", None),
        ("ViT-B-32", None),
    ],
)
def test_a_tuned_model_is_known_however_its_path_is_spelt(name: str, run: str | None) -> None:
    """Otherwise it would be measured on what it has learned from."""
    assert Model(name=name, pretrained=None, context_length=None).run == run
