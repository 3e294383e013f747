"""What labelling by a source would cost: ``t2i label SOURCE --estimate``. Nothing is asked, and nothing written.

The labelling itself is a stage: ``dvc repro label@SOURCE``.
"""

from collections.abc import Sequence

from text2image.artifacts import ARTIFACTS
from text2image.base.console import Parser
from text2image.collection.manifest import read_gallery
from text2image.labels.protocol.answers import estimate
from text2image.labels.protocol.source import SOURCES, load_source
from text2image.params import load_params


def main(argv: Sequence[str]) -> None:
    """Print how many images a source has not labelled yet, and about what they would cost."""
    parser = Parser("t2i label", description="Say what labelling by a source would cost.")
    parser.add_argument("source", choices=SOURCES, metavar="SOURCE", help=f"one of {', '.join(SOURCES)}")
    parser.add_argument("--estimate", action="store_true", required=True, help="say it, and do nothing else")
    name = parser.parse_args(argv).source
    params = load_params()
    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    print(estimate(name, load_source(name, params.label.settings(name)), images))
