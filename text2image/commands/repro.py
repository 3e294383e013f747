"""Run the pipeline as `dvc repro` does, and as well after a kill: ``t2i repro [ARGUMENT…]``.

All arguments are those of `dvc repro`, which it runs. Before that it repairs those of DVC's own files that an earlier kill
left half-written; a kill of this command leaves none.
"""

from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser
from text2image.commands.pipeline.models import gone_models_named
from text2image.commands.pipeline.repairs import keep_copies, repair
from text2image.commands.pipeline.writing import written_whole


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "t2i repro",
        description=(__doc__ or "").split("\n\n")[1],
        epilog="`dvc repro --help` lists the arguments.",
        usage="t2i repro [ARGUMENT ...]",
    )
    if argv and argv[0] in ("-h", "--help"):
        parser.parse_args(argv[:1])
    raise SystemExit(repro(argv))


def repro(arguments: Sequence[str]) -> int:
    """Run `dvc repro` in the project of the working directory and return its exit code.

    Raises:
        InputError: there is no project, what DVC cannot read cannot be repaired without losing something, the system
            does not let its files be read or written, or a model on this machine is gone.
    """
    from dvc.cli import main as dvc
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        root = Path(Repo.find_root())
    except NotDvcRepoError as error:
        raise InputError(f"expected a project of DVC here, found: {error}") from None
    repair(root)
    with gone_models_named(root), written_whole(root / ".dvc" / "tmp"):
        code: int = dvc(["repro", *arguments])
        keep_copies(root)
    return code
