"""Write what `dvc plots` draws with: ``python -m text2image.pages.charts``, in the root of the repository."""

from pathlib import Path

from text2image.base.console import run
from text2image.pages.charts.files import write_plot_files

if __name__ == "__main__":
    run(lambda: write_plot_files(Path(".dvc")))
