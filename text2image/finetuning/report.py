"""What a run says of itself: its curves while it runs, its metrics, and the model card beside the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from text2image.base.console import InputError
from text2image.encoders.settings import Model
from text2image.evaluation.statistics.comparison import compare
from text2image.finetuning.loop import Log
from text2image.finetuning.measure import MEASURES
from text2image.finetuning.run import Tuned
from text2image.finetuning.settings import FinetuneRun

SHOWN_NAMES = 12
CURVE_COLUMNS = ("model", "weight", "loss", *map(str, MEASURES), "chosen")

USE = """From the folder that `data/` lies in:

```python
import open_clip
import text2image.encoders.builtin.efficientnet_lite  # only for models made from `builtin`: names its image tower to timm

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:data/tuned/{name}")
tokenizer = open_clip.get_tokenizer("local-dir:data/tuned/{name}")
```"""


@contextmanager
def live_log(folder: Path) -> Iterator[Log]:
    """Yield a function that writes an epoch's figures to ``folder/plots/metrics/NAME.tsv``.

    The folder is written anew: a run that goes on logs its earlier epochs first.

    Raises:
        InputError: DVCLive is not installed.
    """
    try:
        from dvclive.live import Live
    except ImportError:
        raise InputError(
            "expected the package dvclive for fine-tuning (finetune.models), found none: "
            "pip install 'text2image-retrieval[finetune]'"
        ) from None
    with Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=False) as live:

        def log(figures: dict[str, float]) -> None:
            for name, value in figures.items():
                live.log_metric(name, value)
            live.next_step()

        yield log


def figures(tuned: Tuned, split: Mapping[str, Any], *, resamples: int, seed: int) -> dict[str, Any]:
    """Return the metrics of a run: the split's sizes, how it went, and both models on both parts held out."""
    mixed = tuned.mixed
    compared = compare(mixed.tuned.values, mixed.base.values, tuned.clusters, resamples=resamples, seed=seed)
    return {
        "split": dict(split),
        "training": {
            "parameters": tuned.n_trained,
            "epochs": tuned.progress.epoch,
            "best_epoch": tuned.progress.best_epoch,
            "wise_ft_weight": mixed.chosen.weight,
        },
        "validation": {
            "base": mixed.points[0].validation.means(),
            "tuned": mixed.chosen.validation.means(),
        },
        "test": {
            "n_queries": len(mixed.test.queries),
            "n_images": len(mixed.test.images),
            "base": mixed.base.means(),
            "tuned": mixed.tuned.means(),
            "difference": {
                str(measure): {"mean": one.difference, "low": one.low, "high": one.high}
                for measure, one in zip(MEASURES, compared, strict=True)
            },
        },
    }


def curve_rows(name: str, tuned: Tuned) -> list[tuple[str, ...]]:
    """Return the rows of the chart of mixes, by ``CURVE_COLUMNS``."""
    return [
        (
            name,
            str(point.weight),
            *(f"{value:.6f}" for value in point.validation.means().values()),
            str(point is tuned.mixed.chosen).lower(),
        )
        for point in tuned.mixed.points
    ]


def card(name: str, run: FinetuneRun, base: Model, metrics: Mapping[str, Any], changed: list[str]) -> str:
    """Return the model card, in the form that the Hugging Face hub reads."""
    licence = base.licence or "unknown"
    sizes = [(part, *row.values()) for part, row in metrics["split"].items()]
    training = metrics["training"]
    epochs, best, weight = training["epochs"], training["best_epoch"], training["wise_ft_weight"]
    return f"""---
{_front_matter(base.name, licence)}
---

# {name}

{base.name}{f" ({base.pretrained})" if base.pretrained else ""}, fine-tuned for text-to-image retrieval.

Licence of the base model: {licence}. The training data's own terms may bind too.

## Use

{USE.format(name=name)}

## Data and split

Labels: {", ".join(run.sources)}. Near-duplicate images and all images of one text are in one part.

{_table(("part", "images", "queries", "pairs", "components", "largest component"), sizes)}

## Result

{_results(metrics)}

## Training

{_table(("setting", "value"), _settings(run))}

{training["parameters"]:,} figures trained for {epochs} epochs, the best after {best}; the
weights are {weight:.1f} tuned and {1 - weight:.1f} base (WiSE-FT, chosen on the validation part).
Parameters that differ from the base model's: {_listed(changed)}.
"""


def _front_matter(base: str, licence: str) -> str:
    head = {
        "library_name": "open_clip",
        "tags": ["clip", "retrieval"],
        "base_model": base,
        "license": licence.lower(),
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()


def _results(metrics: Mapping[str, Any]) -> str:
    rows = [
        (part, which, *(f"{metrics[part][which][str(measure)]:.3f}" for measure in MEASURES))
        for part in ("validation", "test")
        for which in ("base", "tuned")
    ]
    titles = [measure.title for measure in MEASURES]
    mrr, hit_rate = (_interval(metrics["test"]["difference"][str(measure)]) for measure in MEASURES)
    return (
        f"{_table(('part', 'model', *titles), rows)}\n\n"
        f"On the test part the {titles[0]} differs by {mrr} and {titles[1]} by {hit_rate} (paired, 95 % interval)."
    )


def _settings(run: FinetuneRun) -> list[tuple[str, object]]:
    """Return the settings without those that belong to another kind of training."""
    kinds = {"blocks": "last_blocks", "rank": "lora", "alpha": "lora"}
    settings = run.model_dump() | {"sources": ", ".join(run.sources)}
    return [(name, value) for name, value in settings.items() if kinds.get(name, run.train) == run.train]


def _interval(difference: Mapping[str, float | None]) -> str:
    mean, low, high = (difference[name] for name in ("mean", "low", "high"))
    if low is None or high is None:
        return f"{mean:+.3f} (too few independent queries for an interval)"
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN_NAMES])
    return f"{shown} and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else shown or "none"


def _table(header: tuple[str, ...], rows: list[Any]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
