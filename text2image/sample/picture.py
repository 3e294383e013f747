"""The pictorial parts of a creative: ground, product with shadow, discs and rounded rectangles."""

import math
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

from text2image.sample.colour import WHITE, Colour, Palette, blend, luminance
from text2image.sample.layouts import Box, Size

MAX_ENLARGEMENT = 2.5  # of a cut-out, or it looks blurred
SHADOW_SCALE = 4  # shadows are blurred at a quarter of the size: soft, and sixteen times faster


def gradient(palette: Palette, size: Size, angle: int) -> Image.Image:
    """Return the palette's gradient: 0 runs down, 1 across, 2 from corner to corner."""
    start, end = palette.start, palette.end
    middle = blend(start, end, 0.5)
    corners = ((start, start, end, end), (start, end, start, end), (start, middle, middle, end))[angle]
    small = Image.new("RGB", (2, 2))
    for number, colour in enumerate(corners):
        small.putpixel((number % 2, number // 2), colour)
    return small.resize(size, Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))


def paint_ground(palette: Palette, size: Size, style: str, angle: int, product: Box) -> Image.Image:
    """Return the picture's ground in one of the styles plain, disc, panel and frame."""
    ground = gradient(palette, size, angle)
    tint = _tint(palette)
    left, top, right, bottom = product
    if style == "disc":
        radius = round(max(right - left, bottom - top) * 0.62)
        paste_disc(ground, ((left + right) // 2, (top + bottom) // 2), radius, tint)
    elif style == "panel":
        ImageDraw.Draw(ground).polygon(_panel(size, product), fill=tint)
    elif style == "frame":
        inset, edges = max(2, round(min(size) * 0.014)), (0, 0, size[0] - 1, size[1] - 1)
        ImageDraw.Draw(ground).rectangle(edges, outline=palette.accent, width=inset)
    return ground


def _tint(palette: Palette) -> Colour:
    """Return a tone lighter than the gradient, for the shape behind the product."""
    if luminance(palette.start) > 0.9:
        return blend(palette.start, palette.end, 0.7)
    return blend(palette.start, WHITE, 0.12 if luminance(palette.start) < 0.25 else 0.55)


def _panel(size: Size, product: Box) -> list[tuple[float, float]]:
    """Return the corners of a slanted panel that runs behind the product to the canvas edges."""
    width, height = size
    left, top, right, bottom = product
    if right - left < 0.6 * width:  # beside the text: a vertical band
        slant = min(0.08 * height, 0.02 * width)
        west = -slant if left < 0.06 * width else left
        east = width + slant if right > 0.94 * width else right
        return [(west + slant, 0), (east + slant, 0), (east - slant, height), (west - slant, height)]
    slant = 0.03 * width
    north = -slant if top < 0.1 * height else top
    south = height + slant if bottom > 0.9 * height else bottom
    return [(0, north + slant), (width, north - slant), (width, south - slant), (0, south + slant)]


@lru_cache(maxsize=1)
def _disc_mask() -> Image.Image:
    mask = Image.new("L", (512, 512))
    ImageDraw.Draw(mask).ellipse((0, 0, 511, 511), fill=255)
    return mask


def paste_disc(canvas: Image.Image, centre: tuple[int, int], radius: int, colour: Colour) -> None:
    """Paint a disc with a smooth edge."""
    mask = _disc_mask().resize((2 * radius, 2 * radius), Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas.paste(colour, (centre[0] - radius, centre[1] - radius), mask)


def paste_rounded(canvas: Image.Image, box: Box, radius: int, colour: Colour) -> None:
    """Paint a rectangle with rounded, smooth corners."""
    width, height = box[2] - box[0], box[3] - box[1]
    mask = Image.new("L", (3 * width, 3 * height))
    area = (0, 0, 3 * width - 1, 3 * height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(area, radius=3 * radius, fill=255)
    canvas.paste(colour, (box[0], box[1]), mask.resize((width, height), Image.Resampling.BOX))


def fit_product(cutout: Image.Image, room: Size, tilt: float, flip: bool, turnable: bool) -> Image.Image:
    """Return the cut-out, turned by ``tilt`` degrees and scaled into ``room``.

    A long and thin turnable product is laid towards the long side of ``room``.
    """
    if flip:
        cutout = cutout.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    across, along = math.log(room[0] / room[1]), math.log(cutout.width / cutout.height)
    if turnable and abs(along) > 0.7 and across * along < 0 and abs(across) > 0.15:
        tilt += 55
    if abs(tilt) > 1:
        reach = max(room) / max(cutout.size)
        if reach < 0.7:  # turn no more pixels than are needed
            cutout = cutout.resize(_scaled(cutout.size, 1.4 * reach), Image.Resampling.BICUBIC)
        cutout = cutout.convert("RGBa").rotate(tilt, Image.Resampling.BICUBIC, expand=True).convert("RGBA")
        cutout = cutout.crop(cutout.getchannel("A").getbbox())
    scale = min(room[0] / cutout.width, room[1] / cutout.height, MAX_ENLARGEMENT)
    return cutout.resize(_scaled(cutout.size, scale), Image.Resampling.BICUBIC)


def _scaled(size: Size, scale: float) -> Size:
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def turn_hue(picture: Image.Image, hue: int) -> Image.Image:
    """Return an RGBA picture whose hues are turned by ``hue`` 256ths of the circle: red by 85 is green."""
    if not hue:
        return picture
    tone, saturation, value = picture.convert("RGB").convert("HSV").split()
    tone = tone.point([(level + hue) % 256 for level in range(256)])
    turned = Image.merge("HSV", (tone, saturation, value)).convert("RGB")
    turned.putalpha(picture.getchannel("A"))
    return turned


def paste_product(canvas: Image.Image, product: Image.Image, room: Box) -> Box:
    """Paste ``product`` in the middle of ``room`` over a glow and a soft shadow; return its box."""
    left = (room[0] + room[2] - product.width) // 2
    top = (room[1] + room[3] - product.height) // 2
    box = (left, top, left + product.width, top + product.height)
    red, green, blue = canvas.crop(box).resize((1, 1), Image.Resampling.BOX).tobytes()
    dark = luminance((red, green, blue)) < 0.35
    if dark:
        _paste_glow(canvas, box, 0.30)
    _paste_shadow(canvas, product, box, 0.55 if dark else 0.38)
    canvas.paste(product, (left, top), product)
    return box


def _paste_glow(canvas: Image.Image, box: Box, strength: float) -> None:
    """Lighten the ground in an ellipse around ``box``, fading out."""
    width, height = round((box[2] - box[0]) * 1.5), round((box[3] - box[1]) * 1.5)
    fading = [round(max(0, 1 - v / 180) * 255 * strength) for v in range(256)]  # 181 at the edges' middle
    mask = Image.radial_gradient("L").point(fading).resize((width, height), Image.Resampling.BILINEAR)
    canvas.paste(WHITE, ((box[0] + box[2] - width) // 2, (box[1] + box[3] - height) // 2), mask)


def _paste_shadow(canvas: Image.Image, product: Image.Image, box: Box, strength: float) -> None:
    """Darken the ground below and to the right of the product, with a soft edge."""
    blur = max(1.0, min(product.size) / 26 / SHADOW_SCALE)
    margin = math.ceil(3 * blur)
    small = product.getchannel("A").resize(_scaled(product.size, 1 / SHADOW_SCALE), Image.Resampling.BOX)
    mask = Image.new("L", (small.width + 2 * margin, small.height + 2 * margin))
    mask.paste(small, (margin, margin))
    mask = mask.filter(ImageFilter.GaussianBlur(blur)).point([round(v * strength) for v in range(256)])
    size = (mask.width * SHADOW_SCALE, mask.height * SHADOW_SCALE)
    mask = mask.resize(size, Image.Resampling.BILINEAR)
    drop = max(2, round(min(product.size) * 0.045))
    corner = box[0] - margin * SHADOW_SCALE + drop // 2, box[1] - margin * SHADOW_SCALE + drop
    canvas.paste((8, 10, 20), corner, mask)
