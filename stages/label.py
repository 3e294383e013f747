"""Stage ``label@SOURCE``: give images texts by one source; ``python -m stages.label SOURCE``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.queries import normalise_text, query_id
from stages.io.console import InputError, progress, run, say
from stages.io.files import write_json
from stages.io.manifest import ImageFile, gallery, read_manifest
from stages.io.params import load_params
from stages.io.store import Store
from stages.io.tables import write_csv
from stages.labelers import Answer, Label, Labeler, NoLabel, load


def answers(labeler: Labeler, source: str, images: Sequence[ImageFile]) -> dict[str, Answer]:
    """Return ``{image_id: answer}``, asking the source only for what the store does not hold.

    Each answer is stored the moment it comes. Images that the source left out are not in the result.
    """
    if labeler.determinants is None:
        return dict(labeler.ask(images))
    ids = [image.image_id for image in images]
    with Store(f"labels/{source}", dict(labeler.determinants)) as store:
        missing = set(store.missing(ids))
        asked = [image for image in images if image.image_id in missing]
        if asked:
            kept, title = len(images) - len(asked), f"label {source}"
            with progress(total=len(images), done=kept, unit="image", title=title) as bar:
                for image_id, answer in labeler.ask(asked):
                    store.put([(image_id, json.dumps(answer, ensure_ascii=False).encode())])
                    bar.update()
        return {image_id: json.loads(value) for image_id, value in store.get(ids)}


def read_answers(
    labeler: Labeler, images: Sequence[ImageFile], given: dict[str, Answer]
) -> tuple[list[Label], list[NoLabel]]:
    """Turn answers into labels with normalised texts, and the reasons why images have none."""
    labels: list[Label] = []
    without = list(labeler.strays)
    for image in images:
        answer = given.get(image.image_id)
        if answer is None:
            without.append(NoLabel(image.image_id, "not asked"))
            continue
        for item in labeler.read(image.image_id, answer):
            if isinstance(item, NoLabel):
                without.append(item)
            elif text := normalise_text(item.text):
                labels.append(item._replace(text=text))
            else:
                without.append(NoLabel(image.image_id, "text without a visible character"))
    return labels, without


def summary(images: int, labels: Sequence[Label], without: Sequence[NoLabel]) -> dict[str, Any]:
    """Return what ``metrics/labels/SOURCE.json`` says."""
    return {
        "images": images,
        "labelled_images": len({label.image_id for label in labels}),
        "pairs": len(labels),
        "unique_texts": len({query_id(label.text) for label in labels}),
        "without_label": dict(sorted(Counter(item.reason for item in without).items())),
    }


def main() -> None:
    source = sys.argv[1]
    params = load_params()
    images = gallery(read_manifest(), Path(params.data.images))
    labeler = load(source, params)
    labels, without = read_answers(labeler, images, answers(labeler, source, images))
    figures = summary(len(images), labels, without)
    if not labels:
        raise InputError(
            f"expected at least one label from source '{source}' (params keys label.sources and label.{source}), "
            f"found none for {len(images)} images ({figures['without_label']})"
        )
    labels.sort(key=lambda label: (label.image_id, label.text))
    rows = [
        (image_id, text, "" if confidence is None else confidence) for image_id, text, confidence in labels
    ]
    write_csv(Path(f"data/labels/{source}.csv"), Label._fields, rows)
    write_csv(Path(f"data/labels/{source}_without.csv"), NoLabel._fields, sorted(without))
    write_json(Path(f"metrics/labels/{source}.json"), figures)
    say(f"label {source}: {figures['labelled_images']} of {len(images)} images, {len(labels)} pairs")


if __name__ == "__main__":
    run(main)
