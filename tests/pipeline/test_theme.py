"""A change of what pictures look like reruns the stages that draw them, and no other."""

from __future__ import annotations

import pytest

from tests.support.pipeline import Project


@pytest.mark.pipeline
def test_a_change_of_the_theme_reruns_the_pictures_alone(project: Project) -> None:
    pages = project.root / "text2image" / "pages"
    for name, old, new in (
        ("theme.py", '"#009e73"', '"#111111"'),
        ("sheets/sheet.py", "GAP = 12", "GAP = 14"),
        ("sheets/examples.py", " queries: {system}{", " answers: {system}{"),
    ):
        text = (pages / name).read_text()
        assert old in text
        (pages / name).write_text(text.replace(old, new))
    dvc_yaml = project.root / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("title: Image sizes", "title: Sizes of the images"))
    assert project.repro() == {
        "examples_dataset",
        *(
            f"{stage}@{source}"
            for stage in ("examples", "examples_labels")
            for source in ("human", "imagenet")
        ),
    }
