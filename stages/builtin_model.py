"""Stage ``builtin_model``: assemble the open_clip model that needs no download."""

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.base.imports import import_open_clip
from text2image.params import Params


def main(params: Params) -> None:
    import_open_clip()
    from text2image.encoders.builtin.assemble import build

    build(ARTIFACTS.builtin_model)
    say(f"wrote the open_clip model local-dir:{ARTIFACTS.builtin_model}")


if __name__ == "__main__":
    run(main)
