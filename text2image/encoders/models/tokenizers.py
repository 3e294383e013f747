"""Tokenizers that tell texts apart; one that does not is refused before anything is embedded.

A Hugging Face tokenizer whose vocabulary is missing is made all the same, without a word, and maps every word to one
token ("unknown"): texts of as many words get one vector, and the model comes out at the level of chance.
"""

from typing import Any

from text2image.base.console import InputError

PROBES = (
    ("a red shoe", "two small dogs", "the old house"),
    ("красная туфля", "маленькие собаки", "старый дом"),
    ("红色的鞋", "两只小狗", "一座老屋"),
    ("赤い靴だ", "小さい犬", "古い家だ"),
    ("빨간 신발", "작은 개들", "오래된 집"),
    ("حذاء أحمر", "كلاب صغيرة", "بيت قديم"),
    ("लाल जूता", "छोटे कुत्ते", "पुराना घर"),
)
"""Unlike texts in several languages, those of one language of as many words (or letters, where there are no spaces)."""

FILES = "tokenizer.json or the vocabulary (vocab.txt, vocab.json and merges.txt, *.model), and tokenizer_config.json"


def check_tokenizer(tokenizer: Any, where: str) -> None:
    """Refuse a tokenizer of open_clip's that gives unlike texts one sequence of tokens in every language.

    Args:
        where: names the model.

    Raises:
        InputError: it tells the texts of no language apart.
    """
    for texts in PROBES:
        if len({tuple(row) for row in tokenizer(list(texts)).tolist()}) == len(texts):
            return
    first, *_, last = PROBES[0]
    raise InputError(
        f"expected a tokenizer that tells texts apart for {where}, found one that gives '{first}' and '{last}' the "
        f"same tokens; put the model's tokenizer files beside its weights: {FILES}"
    )


def check_vocabulary(tokenizer: Any, size: int, where: str) -> None:
    """Refuse a tokenizer of another model, whose tokens the text tower has no embeddings for.

    Args:
        size: how many tokens the tower knows; 0 if it does not say so.

    Raises:
        InputError: a token of the probes is beyond them.
    """
    largest = max(int(tokenizer(list(texts)).max()) for texts in PROBES)
    if size and largest >= size:
        raise InputError(
            f"expected a tokenizer of the {size:,} tokens that the text tower knows for {where}, found one with token "
            f"{largest:,}: it is another model's; put the model's own tokenizer files beside its weights: {FILES}"
        )
