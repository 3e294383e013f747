"""Label source ``imagenet``: what becomes of the classes that a classifier saw."""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import image_file
from text2image.base.settings import Runtime
from text2image.labels.imagenet.source import Settings, Source
from text2image.labels.protocol.source import Label, NoLabel


def test_the_threshold_is_applied_to_stored_answers() -> None:
    classes = [
        {"name": "shoe", "index": 1, "probability": 0.5},
        {"name": "boot", "index": 2, "probability": 0.4},
    ]
    sure, unsure = (Source(Settings(model="builtin", threshold=threshold)) for threshold in (0.5, 0.51))
    assert sure.determinants() == unsure.determinants()
    assert list(sure.read("id", {"classes": classes})) == [Label("id", "shoe", 0.5)]
    reason = "confidence below label.imagenet.threshold"
    assert list(unsure.read("id", {"classes": classes})) == [NoLabel("id", reason)]


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_the_builtin_classifier_names_five_classes_of_each_image(runtime: Runtime, tmp_path: Path) -> None:
    images = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.effect_noise((90 + number, 60), 20 * number + 9).convert("RGB").save(path)
        images.append(image_file(path))
    answers = list(Source(Settings(model="builtin", threshold=0.0)).load(runtime)(images))
    assert [image_id for image_id, _ in answers] == [image.image_id for image in images]
    for _, answer in answers:
        probabilities = [item["probability"] for item in answer["classes"]]
        assert len(probabilities) == 5 and probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) <= 1
