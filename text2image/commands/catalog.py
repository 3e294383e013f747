"""Verify what the catalog remembers of the images, or pin images behind a URL: ``t2i catalog``.

``--verify`` reads all files, those that look unchanged too, compares their hashes with what is remembered, and
says what differs. ``--pin URL`` writes data/images.url, the file by which DVC watches images behind any URL;
without a URL it writes the pin that data.images names anew.
"""

from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import Parser, one_line, say
from text2image.base.store import Store
from text2image.collection.facts import determinants, verify
from text2image.collection.locations import PIN, location, read_pin, write_pin
from text2image.collection.scan import pin_of, scan
from text2image.params import load_params

DEFAULT_PIN = Path(f"data/images{PIN}")


def verify_files(images: str, max_pixels: int) -> None:
    """Verify what is remembered of the files that ``data.images`` names.

    Raises:
        InputError: files differ that look unchanged.
    """
    root = location(images)
    files = scan(root)
    with Store("catalog", determinants(root, max_pixels)) as store:
        checked = verify(root, files, max_pixels, store)
    say(f"catalog: {checked} of {len(files)} files are remembered, and all have the bytes they had")


def pin_url(images: str, url: str) -> None:
    """Write down the state of the files at ``url``, or anew those that ``data.images`` names."""
    path = Path(images) if images.endswith(PIN) else DEFAULT_PIN
    url = url or (read_pin(path).url if images.endswith(PIN) else images)
    pin = pin_of(url, scan(location(url)))
    write_pin(path, pin)
    advice = "" if images.endswith(PIN) else f"; set data.images in params.yaml to {path}"
    say(f"catalog: {pin.files} files at {one_line(url)} in {path}{advice}")


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "t2i catalog", description="Verify what is remembered of the images, or pin images behind a URL."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--verify", action="store_true", help="compare all files with what is remembered")
    action.add_argument(
        "--pin", nargs="?", const="", metavar="URL", help=f"write {DEFAULT_PIN}, by which DVC watches a URL"
    )
    options = parser.parse_args(argv)
    params = load_params()
    if options.pin is not None:
        pin_url(params.data.images, options.pin)
    else:
        verify_files(params.data.images, params.catalog.max_pixels)
