"""What pages show in place of an image whose file is no longer what the catalog saw."""

from PIL import Image, ImageDraw, ImageFont

from text2image.base.console import InputError
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.pages.theme import CARD, QUIET, RULE

SIZE = (320, 240)  # pixels
TEXT = "No picture: its file\nchanged or vanished\nsince the catalog\nwas made. Run\ndvc repro -f -s catalog."


def open_or_placeholder(image: ImageFile) -> tuple[Image.Image, str]:
    """Return an image of the gallery, or the placeholder, and why it is that; "" if it is not."""
    try:
        return open_image(image), ""
    except InputError as error:
        return placeholder(), str(error)


def placeholder() -> Image.Image:
    """Return a picture that says that there is none, and what to do."""
    page = Image.new("RGB", SIZE, CARD)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, SIZE[0] - 1, SIZE[1] - 1), outline=RULE, width=2)
    draw.multiline_text((24, 44), TEXT, fill=QUIET, font=ImageFont.load_default(22), spacing=8)
    return page
