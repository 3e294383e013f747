"""Two queries to judge, one of which attacks, and a session over them."""

from pathlib import Path

from PIL import Image

from tests.support.pictures import image_file
from text2image.collection.manifest import ImageFile
from text2image.formats.texts import query_id
from text2image.queries.judging.pool import PooledQuery
from text2image.queries.judging.session import Session

EVIL = "<img src=x onerror=alert(1)> & 'hat'"
SHOE, HAT = query_id("red shoe"), query_id(EVIL)
POOL = [PooledQuery(SHOE, "red shoe", ("a", "b")), PooledQuery(HAT, EVIL, ("b", "c"))]
HEADER = "source,query,image_id,relevance,by,note\n"


def session(path: Path, by: str = "Ann") -> Session:
    """Return a session of one judge, whose grades are kept at ``path``."""
    return Session("human", by, POOL, path)


def three_images(folder: Path) -> dict[str, ImageFile]:
    """Write three images of the gallery, one of them larger than the page shows."""
    for number, name in enumerate("abc"):
        size = (1000 if name == "a" else 40, 30)
        Image.new("RGB", size, (number * 80, 0, 0)).save(folder / f"{name}.png")
    return {name: image_file(folder / f"{name}.png") for name in "abc"}
