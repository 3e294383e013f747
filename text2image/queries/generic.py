"""Texts that could mean any image, and fragments that hardly mean one, in the languages that texts have.

Function words ("the", "und", "на") are those of the package ``stop-words``, whose lists cover 33 languages; the English
ones are scikit-learn's, since the package counts "home" and "computer" among them. Only the languages that the texts
of a source show are looked at: "car" and "hat" are function words, too, of French and German.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain

from stop_words import LANGUAGE_MAPPING, get_stop_words

from text2image.formats.texts import letters_a_word

CALLS_TO_ACTION = {
    "ar": "اضغط انقر هنا الآن اشتر تسوق اطلب اعرف المزيد سجل تعرف",
    "de": "hier jetzt mehr klick klicke klicken anklicken tippen kaufen kauf bestellen bestelle erfahren erfahre lesen "
    "lies anmelden entdecken entdecke ansehen einkaufen shoppen sichern herunterladen weiterlesen",
    "en": "click tap here now more learn read see find buy shop order sign subscribe download up today discover online "
    "visit",
    "es": "clic haz haga pulsa pulse aquí ahora más compra compre comprar descubre descubrir leer saber ver suscríbete "
    "regístrate pide pedir reserva información",
    "fr": "cliquez clique cliquer clic ici maintenant plus acheter achetez découvrir découvrez lire savoir voir "
    "commander commandez inscrivez profitez réserver réservez",
    "id": "klik di sini sekarang beli belanja pesan baca selengkapnya pelajari lanjut",
    "it": "clicca cliccare clic qui ora adesso subito più acquista compra scopri scoprire leggi leggere ordina iscriviti "
    "prenota",
    "ja": "クリック タップ こちら ここ 今すぐ いますぐ 詳細 詳しく もっと 見る 購入 注文 登録 申し込み 申込 する",
    "ko": "클릭 클릭하세요 여기 여기를 여기서 지금 바로 더 자세히 알아보기 보기 구매 구매하기 구입하기 주문하기 쇼핑하기",
    "nl": "klik hier nu meer koop kopen bestel bestellen lees lezen ontdek bekijk shop info informatie",
    "pl": "kliknij tutaj tu teraz więcej kup kupić zamów dowiedz czytaj sprawdź zobacz",
    "pt": "clique clicar aqui agora já mais compre comprar descubra saiba leia ler veja peça inscreva",
    "ru": "нажмите нажми кликните жми здесь сюда тут сейчас больше подробнее купить купи купите закажите заказать узнать узнайте "
    "читать смотреть",
    "sv": "klicka här nu mer köp köpa beställ läs upptäck",
    "tr": "tıkla tıklayın buraya şimdi hemen daha fazla satın al alın keşfet incele sipariş ver oku",
    "uk": "натисніть тисни тут зараз більше докладніше детальніше купити купуйте замовте дізнатися читати",
    "vi": "nhấp bấm vào đây ngay mua đặt hàng xem thêm tìm hiểu",
    "zh": "点击 點擊 这里 這裡 此处 此處 立即 马上 现在 了解 更多 购买 購買 查看 详情 詳情 下载 注册 抢购 选购",
}
"""Words that calls to action are made of, by language (ISO 639-1); two of them make a text generic."""

ADDRESS = re.compile(r"\S+@\S+|(https?://|www\.)\S+|[\w-]+(\.[\w-]+)*\.[a-z]{2,}(/\S*)?", re.IGNORECASE)
"""Of the web or of mail: "dz606.com"."""

SHOWN = 3  # different function words by which a language is told
PART = 0.05  # share of all words that its function words must have


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, digits and marks, and symbols such as emoji, one by one.

    >>> words("L'été à 20 %: 🎸!")
    ['l', 'été', 'à', '20', '🎸']
    """
    found, run = [], ""
    for char in unicodedata.normalize("NFC", text.lower()):
        kind = unicodedata.category(char)
        if kind[0] in "LMN":
            run += char
            continue
        found += [run, char if kind == "So" else ""]
        run = ""
    return [word for word in (*found, run) if any(unicodedata.category(char)[0] != "M" for char in word)]


@cache
def function_words(language: str) -> frozenset[str]:
    """Return the function words of a language (ISO 639-1), cut as texts are; none of one that is not known."""
    listed: Iterable[str] = ()
    if language == "en":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # most of a second

        listed = ENGLISH_STOP_WORDS
    elif language in LANGUAGE_MAPPING:
        listed = get_stop_words(language)
    return frozenset(chain.from_iterable(map(words, listed)))


@cache
def calls_to_action() -> dict[str, frozenset[str]]:
    """Return ``CALLS_TO_ACTION`` as sets."""
    return {code: frozenset(words(listed)) for code, listed in CALLS_TO_ACTION.items()}


def is_generic(text: str, generic_words: Iterable[str] = ()) -> bool:
    """Say whether a text could mean any image.

    It does if it has no word, if all of its words are ``generic_words`` (any case), or if it is a call to action:
    words of ``CALLS_TO_ACTION`` and function words of one language, at least two of the former. A symbol, such as an
    emoji, is a word: it shows something.

    >>> [is_generic(text) for text in ("click here", "Klicken Sie hier", "点击这里", "…", "🎸", "buy a guitar", "hier")]
    [True, True, True, True, False, False, False]
    >>> is_generic("a photo of", ["a", "photo", "of"])
    True
    """
    found = words(text)
    if set(found) <= {word.lower() for word in generic_words}:
        return True
    return any(_is_call(found, language) for language in calls_to_action())


def _is_call(found: Sequence[str], language: str) -> bool:
    """Say whether words are those of calls to action and function words of a language, at least two of the former."""
    calls = calls_to_action()[language]
    if sum(word in calls for word in found) < 2 and not any(map(_has_no_spaces, found)):
        return False  # as nearly all texts, without reading a list
    parts = [_cut(word, calls | function_words(language)) for word in found]
    return all(parts) and sum(part in calls for cut in parts for part in cut) >= 2


def _has_no_spaces(word: str) -> bool:
    """Say whether a word is in a script that sets no spaces between words."""
    return not word.isascii() and any(map(letters_a_word, word))


def _cut(word: str, known: frozenset[str]) -> list[str]:
    """Return a word as known ones: itself, or several in a script without spaces; empty if it has anything else."""
    if word in known:
        return [word]
    if not _has_no_spaces(word):
        return []
    cuts: dict[int, list[str]] = {0: []}
    for end in range(1, len(word) + 1):
        starts = [start for start in cuts if word[start:end] in known]
        if starts:
            cuts[end] = [*cuts[min(starts)], word[min(starts) : end]]
    return cuts.get(len(word), [])


def languages(texts: Iterable[str]) -> list[str]:
    """Return the languages that texts show by their function words, the most frequent first; English always.

    A language counts if at least ``SHOWN`` different function words of it occur, which no more frequent one has, and
    these are at least ``PART`` of all words.

    >>> languages(["der Hund auf dem Sofa", "ein Mann mit einem Hut", "a red car", "a man with a hat"])
    ['de', 'en']
    """
    counts = Counter(chain.from_iterable(map(words, texts)))
    total, shown = counts.total(), list[str]()
    while True:
        seen = {
            code: (sum(counts[word] for word in own), code)
            for code in LANGUAGE_MAPPING
            if len(own := function_words(code) & counts.keys()) >= SHOWN and code not in shown
        }
        number, code = max(seen.values(), default=(0, ""))
        if number < max(1, PART * total):
            return shown if "en" in shown else [*shown, "en"]
        shown.append(code)
        for word in function_words(code):
            counts.pop(word, None)


def is_fragment(text: str, spoken: Iterable[str] = ("en",)) -> bool:
    """Say whether a text is a web address, has no letter, or no more than one word beside function words.

    A single word is none: it names something. ``spoken`` are the languages of the source, from :func:`languages`.

    >>> [is_fragment(text) for text in ("dz606.com", "50 %", "a month", "guitar", "🎸", "a red guitar")]
    [True, True, True, False, False, False]
    """
    if ADDRESS.fullmatch(text.strip()):
        return True
    found = words(text)
    if not any(unicodedata.category(char)[0] == "L" or unicodedata.category(char) == "So" for char in text):
        return True
    content = (sum(word not in function_words(code) for word in found) for code in spoken)
    return len(found) > 1 and min(content) <= 1
