"""``t2i COMMAND …``: everything that people type, besides ``dvc`` and ``make``.

Each command is a module of :mod:`text2image.commands`, imported when it is chosen: ``t2i --help`` takes no torch.
"""

from argparse import REMAINDER, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module

import text2image
from text2image.base.console import Parser, run

COMMANDS = {
    "repro": "run the pipeline as `dvc repro` does, and as well after a kill",
    "search": "find images for a text, or images like an image",
    "app": "open a page to search on, see why, and grade what was found",
    "judge": "grade what was found for a source's queries, on a page or in the terminal",
    "report": "write what a run found as one HTML file and as Markdown",
    "throughput": "measure how fast systems are on this machine",
    "zoo": "compare many models on the same queries",
    "catalog": "verify what is remembered of the images, or pin images behind a URL",
    "label": "say what labelling by a source would cost (`--estimate`)",
    "rerank": "say what reranking by the paid vision model would cost (`--estimate`)",
    "store": "list, verify or repair the stored embeddings and labels, and delete what is no longer used",
    "init": "make a new project for your own images, or bring one up to date",
}
"""What each command is for, by its name."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that ``argv`` names (default: the command line)."""
    run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> None:
    listed = "\n".join(f"  {name:<10}  {what}" for name, what in COMMANDS.items())
    parser = Parser(
        "t2i",
        description="Which text-to-image system finds the right picture in your own collection?",
        epilog=f"commands:\n{listed}\n\n`t2i COMMAND --help` says more of each.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"t2i {text2image.__version__}",
        help="say which version is installed",
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=REMAINDER, help="its own arguments")
    options = parser.parse_args(argv)
    if options.command is None:
        parser.error("expected a command")
    else:
        import_module(f"text2image.commands.{options.command}").main(options.arguments)


if __name__ == "__main__":
    main()
