"""DVCLive: the curves of a run as files that ``dvc plots show`` draws while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from text2image.base.console import InputError
from text2image.finetuning.loop import Log


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
