"""Encodings of captions files: Unicode and the code pages of Excel, told from short files; others are refused."""

import pytest

from text2image.base.console import InputError
from text2image.labels.human.encoding import decode

WESTERN = {
    "German": "path;text\n0/Größe.jpg;Schöne Schuhe für Männer\n",
    "one letter": "path;text\n0/Zürich.jpg;coffee house\n",
    "capitals": "path;text\n0/a.jpg;GRÖSSTE AUSWAHL FÜR MÄNNER\n",
    "French": "path;text\n0/a.jpg;Une fête d’été à la plage, ça va\n",
    "Spanish": "path;text\n0/a.jpg;El niño comió una manzana en España ¿qué?\n",
    "Portuguese": "path;text\n0/a.jpg;não há promoções à venda\n",
    "euro": "path;text\n0/a.jpg;Nur 5 € im Angebot\n",
    "degrees": "path;text\n0/a.jpg;bei 20 °C waschen\n",
    "circumflex": "path;text\n0/hôtel.jpg;by the sea\n",
    "diaeresis": "path;text\n0/a.jpg;Citroën, naïve\n",
    "tilde": "path;text\n0/a.jpg;São Paulo\n",
    "first letter": "path;text\n0/a.jpg;Äpfel\n",
    "Danish": "path;text\n0/a.jpg;rød dør\n",
    "u with acute": "path;text\n0/a.jpg;menú\n",
    "ring": "path;text\n0/a.jpg;Så\n",
    "quotes": "path;text\n0/a.jpg;“best” shoes, it’s… for 5 €™\n",
    "Swedish": "path;text\n0/a.jpg;röd dörr på ett hus vid sjön\n",
}
OTHERS = {
    "cp1251": "0/плакат.jpg;старый плакат на стене",
    "cp1250": "0/a.jpg;żółte buty na śniegu",
    "cp1253": "0/a.jpg;κόκκινα παπούτσια",
    "cp1254": "0/a.jpg;kırmızı kapı ve güneş, çocuk ağaç altında",
    "cp1255": "0/a.jpg;דלת אדומה",
    "cp932": "0/a.jpg;赤い靴と青い帽子",
    "gb18030": "0/a.jpg;红色的鞋子",
    "cp949": "0/a.jpg;빨간 신발",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_says_what_it_is(encoding: str) -> None:
    text = "path,text\n0/Zürich.jpg,плакат 🎸\n"
    assert decode(text.encode(encoding), "f.csv").text == text


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
@pytest.mark.parametrize("text", WESTERN.values(), ids=WESTERN)
def test_the_western_code_pages_are_told_apart(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), "f.csv") == (text, encoding)


@pytest.mark.parametrize("encoding", OTHERS)
def test_other_code_pages_are_refused_with_a_way_out(encoding: str) -> None:
    content = f"path;text\n{OTHERS[encoding]}\n".encode(encoding)
    with pytest.raises(
        InputError, match=r"in f\.csv, found another encoding from line 2 on; save it as 'CSV UTF-8'"
    ):
        decode(content, "f.csv")


def test_a_damaged_line_of_utf8_is_named() -> None:
    content = "path,text\na.jpg,Zürich\nb.jpg,Köln\n".encode() + b"c.jpg,M\xfcnchen\n"
    for ends in (b"\n", b"\r\n", b"\r"):
        with pytest.raises(InputError, match=r"expected UTF-8 text in f\.csv, found other bytes on line 4"):
            decode(content.replace(b"\n", ends), "f.csv")
    with pytest.raises(InputError, match="other bytes on line 3"):
        decode(b"\xef\xbb\xbfpath,text\na,\n\xff\n", "f.csv")


@pytest.mark.parametrize(
    ("content", "what"), [(b"PK\x03\x04...", "Excel"), (b"PAR1...", "Parquet"), (b"\x1f\x8b..", "gzip")]
)
def test_what_is_no_text_is_named(content: bytes, what: str) -> None:
    with pytest.raises(InputError, match=f"found .*{what}.*; save it as"):
        decode(content, "f.csv")
