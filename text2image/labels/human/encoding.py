"""How the bytes of a captions file became characters: told from the bytes, or refused.

Unicode files say what they are. All others are of one byte a character, and nothing but what they would mean says
which code page wrote them. Two are told apart: Windows-1252, which Excel writes on Windows, and Mac Roman, which it
writes on a Mac, both in Western Europe and America. Detectors of encodings need more text than a short file of
captions has: charset-normalizer 3.5 reads ``Zürich`` of Windows-1252 as ``Z¸rich`` of Mac Roman, and French as Polish.
"""

import codecs
import re
from typing import NamedTuple

from text2image.base.console import InputError

BYTE_ORDER_MARKS = (  # those of UTF-32 first, since they begin with those of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel or other zipped file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
}
CODE_PAGES = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman"}
WESTERN = re.compile(r"[À-ÏÑ-ÖØ-Üß-ïñ-öø-üÿŒœ‘’“”„‚‹›«»–—…€£•·™®©°º¡¿½¼¾²³×´\xa0]")
"""Letters and signs of Western texts; not Ð, Ý and Þ, whose bytes are letters of Turkish and Czech elsewhere."""

UNLIKELY = re.compile(
    r"[a-zà-öø-ÿ][À-ÖØ-ÞŸŒ]|[À-ÖØ-öø-ÿ]{3}|[²³´×¼½¾°][a-zà-öø-ÿ]"
    r"|[A-Za-z][€‚„‹‘“”•™][a-z]|[A-Z]…[A-Z]|€[a-z]|[A-Za-z]¿|Œ\b|œ(?![uistdeèUISTDE])"
    r"|(?<!\w)Û(?!\w)|\d\s?[Û¡]"
)
"""What other code pages look like: ``cafÈ`` (Mac Roman), ``ïëàêàò`` (Windows-1251), ``¿ó³te`` (Windows-1250).

The other lines are of single letters in Mac Roman files: ``h™tel``, ``S‹o``, ``GR…SSE``, ``€pfel``, ``r¿d``,
``Œ`` and ``œ`` where no word has them, the sign of the euro (``5 Û``) and that of degrees (``20 ¡C``).
"""

LINE_END = re.compile(r"\r\n?|\n")
MIN_WESTERN = 0.9  # share of the characters beyond ASCII that are Western ones in a likely place
SAVE_AS = "save it as 'CSV UTF-8'"


class Decoded(NamedTuple):
    """The text of a file, without a byte order mark, and Python's name of its encoding."""

    text: str
    encoding: str


def decode(content: bytes, where: str) -> Decoded:
    """Return the text of a captions file.

    Args:
        where: names the file in errors.

    Raises:
        InputError: it is no text, is UTF-8 with damaged lines, or is in a code page that is not known for sure.
    """
    for magic, what in OTHER_FORMATS.items():
        if content.startswith(magic):
            raise InputError(f"expected a CSV file at {where}, found {what}; {SAVE_AS}")
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), None)
    encoding = encoding or _utf16_without_mark(content) or "utf-8"
    try:
        return Decoded(content.decode(encoding), encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or _mostly_utf8(content):
            line = len(LINE_END.split(error.object[: error.start].decode(encoding, "replace")))
            raise InputError(
                f"expected {encoding.upper()} text in {where}, found other bytes on line {line}; {SAVE_AS}"
            ) from None
    return _of_code_page(content, where)


def _utf16_without_mark(content: bytes) -> str | None:
    """Return the kind of UTF-16 where every other byte is mostly zero, as that of Latin letters is."""
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = content[first::2]
        if half and half.count(0) > len(half) / 2:
            return name
    return None


def _mostly_utf8(content: bytes) -> bool:
    """Say whether more characters beyond ASCII are whole in UTF-8 than there are bytes that are none."""
    beyond = [char for char in content.decode("utf-8", "surrogateescape") if char > "\x7f"]
    damaged = sum("\udc80" <= char <= "\udcff" for char in beyond)
    return len(beyond) - damaged > damaged


def _of_code_page(content: bytes, where: str) -> Decoded:
    texts = {name: content.decode(name, "replace") for name in CODE_PAGES}
    likely = {name: _western(text) for name, text in texts.items()}
    best = max(likely, key=lambda name: likely[name])
    if likely[best] < MIN_WESTERN:
        line = next(number for number, raw in enumerate(content.splitlines(), 1) if not raw.isascii())
        raise InputError(
            f"expected UTF-8, UTF-16 or the code page of Western Europe (Windows-1252, Mac Roman) in {where}, "
            f"found another encoding from line {line} on; {SAVE_AS}"
        )
    return Decoded(texts[best], best)


def _western(text: str) -> float:
    """Return the share of the characters beyond ASCII that are as in a Western text."""
    beyond = sum(char > "\x7f" for char in text)
    return (len(WESTERN.findall(text)) - 2 * len(UNLIKELY.findall(text))) / max(1, beyond)
