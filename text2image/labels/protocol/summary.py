"""What metrics/labels/SOURCE.json says of the labels of any source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from text2image.formats.texts import query_id
from text2image.labels.protocol.source import Label, NoLabel

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def summarise(images: int, labels: Sequence[Label], unlabelled: Sequence[NoLabel]) -> dict[str, Any]:
    """Return figures on labels.

    Args:
        images: how many images the gallery has.
        labels: their labels.
        unlabelled: why images have none; counted by reason under ``without_label``.
    """
    confidences = [label.confidence for label in labels if label.confidence is not None]
    quantiles = np.quantile(confidences, QUANTILES).tolist() if confidences else []
    return {
        "images": images,
        "labelled_images": len({label.image_id for label in labels}),
        "pairs": len(labels),
        "unique_texts": len({query_id(label.text) for label in labels}),
        "mean_words": sum(len(label.text.split()) for label in labels) / max(1, len(labels)),
        "confidence": {
            f"q{100 * share:02.0f}": value for share, value in zip(QUANTILES, quantiles, strict=False)
        },
        "without_label": dict(sorted(Counter(item.reason for item in unlabelled).items())),
    }
