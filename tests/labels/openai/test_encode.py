"""What of an image leaves this machine."""

import io
from pathlib import Path

from PIL import Image

from tests.support.pictures import image_file
from text2image.labels.openai.encode import jpeg, upload


def test_uploads_hold_pixels_only(tmp_path: Path) -> None:
    source = Image.effect_noise((900, 300), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "SECRET-CAMERA"
    source.save(
        tmp_path / "a.jpg",
        exif=exif,
        comment=b"SECRET-COMMENT",
        icc_profile=b"SECRET-PROFILE",
        dpi=(300, 300),
    )
    first, again = (upload("key", image_file(tmp_path / "a.jpg"), 512) for _ in range(2))
    assert first == again
    assert (first.width, first.height) == (171, 512), "upright, and scaled"
    content = jpeg(source, 512)
    assert b"SECRET" not in content and b"Exif" not in content and b"ICC" not in content
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (512, 171), {})
    assert Image.open(io.BytesIO(jpeg(source.resize((40, 20)), 512))).size == (40, 20), "never enlarged"
    assert Image.open(io.BytesIO(jpeg(source.resize((5000, 1)), 512))).size == (512, 1)
