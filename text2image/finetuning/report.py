"""What a run says of itself: its metrics, and the model card that lies beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

from text2image.encoders.settings import Model
from text2image.evaluation.comparison import compare
from text2image.finetuning.measure import HIT_K, Found
from text2image.finetuning.run import Tuned
from text2image.finetuning.settings import FinetuneRun

MEASURES = ("mrr", f"hit_rate@{HIT_K}")
UNKNOWN_LICENCE = "unknown"


def figures(tuned: Tuned, split: Mapping[str, Any], *, resamples: int, seed: int) -> dict[str, Any]:
    """Return the metrics of a run: the split's sizes, how it went, and both models on both held parts."""
    compared = compare(
        _per_query(tuned.tuned), _per_query(tuned.base), tuned.clusters, resamples=resamples, seed=seed
    )
    return {
        "split": dict(split),
        "training": {
            "parameters": tuned.n_trained,
            "epochs": tuned.progress.epoch,
            "best_epoch": tuned.progress.best_epoch,
            "wise_ft_weight": tuned.chosen.weight,
        },
        "validation": {"base": tuned.points[0].found.means(), "tuned": tuned.chosen.found.means()},
        "test": {
            "n_queries": len(tuned.test.queries),
            "n_images": len(tuned.test.images),
            "base": tuned.base.means(),
            "tuned": tuned.tuned.means(),
            "difference": {
                name: {"mean": one.difference, "low": one.low, "high": one.high}
                for name, one in zip(MEASURES, compared, strict=True)
            },
        },
    }


def _per_query(found: Found) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.stack([1.0 / found.rank, (found.rank <= HIT_K).astype(np.float64)], axis=1)


def card(name: str, run: FinetuneRun, base: Model, found: Mapping[str, Any], changed: list[str]) -> str:
    """Return the model card, in the form that the Hugging Face hub reads."""
    licence = base.licence or UNKNOWN_LICENCE
    head = {
        "library_name": "open_clip",
        "tags": ["clip", "retrieval"],
        "base_model": base.name,
        "license": licence.lower(),
    }
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()}
---

# {name}

{base.name}{f" ({base.pretrained})" if base.pretrained else ""}, fine-tuned for text-to-image retrieval.

Licence of the base model: {licence}. The training data's own terms may bind too.

## Use

From the folder that `data/` lies in:

```python
import open_clip
import text2image.encoders.builtin.efficientnet_lite  # only for models made from `builtin`: names its image tower to timm

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:data/tuned/{name}")
tokenizer = open_clip.get_tokenizer("local-dir:data/tuned/{name}")
```

## Data and split

Labels: {", ".join(run.sources)}. Near-duplicate images and all images of one text are in one part.

{_table(("part", "images", "queries", "pairs", "components", "largest component"), [(part, *row.values()) for part, row in found["split"].items()])}

## Result

{_results(found)}

On the test part the MRR differs by {_difference(found, MEASURES[0])} and HitRate@{HIT_K} by {_difference(found, MEASURES[1])} (paired, 95 % interval).

## Training

{_table(("setting", "value"), _settings(run))}

{found["training"]["parameters"]:,} figures trained for {found["training"]["epochs"]} epochs, the best after {found["training"]["best_epoch"]}; the
weights are {found["training"]["wise_ft_weight"]:.1f} tuned and {1 - found["training"]["wise_ft_weight"]:.1f} base (WiSE-FT, chosen on the validation part).
Parameters that differ from the base model's: {_listed(changed)}.
"""


def _results(found: Mapping[str, Any]) -> str:
    rows = [
        (part, which, *(f"{found[part][which][name]:.3f}" for name in MEASURES))
        for part in ("validation", "test")
        for which in ("base", "tuned")
    ]
    return _table(("part", "model", "MRR", f"HitRate@{HIT_K}"), rows)


def _settings(run: FinetuneRun) -> list[tuple[str, object]]:
    """Return the settings without those that belong to another kind of training."""
    kinds = {"blocks": "last_blocks", "rank": "lora", "alpha": "lora"}
    settings = run.model_dump() | {"sources": ", ".join(run.sources)}
    return [(name, value) for name, value in settings.items() if kinds.get(name, run.train) == run.train]


def _difference(found: Mapping[str, Any], measure: str) -> str:
    one = found["test"]["difference"][measure]
    return f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"


def _table(header: tuple[str, ...], rows: list[Any]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
