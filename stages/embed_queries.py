"""Stage ``embed_queries@MODEL-SOURCE``: query texts as unit vectors.

``python -m stages.embed_queries MODEL SOURCE``. A text that was embedded before is not embedded again.
"""

from functools import partial

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.encoders.vectors import (
    embed_texts_here,
    load_card,
    stored_vectors,
    text_determinants,
    text_key,
)
from text2image.formats.files import write_array
from text2image.formats.trec import read_queries
from text2image.params import Params


def main(params: Params, model: str, source: str) -> None:
    card, precision = load_card(ARTIFACTS.card(model)), params.embed.precision
    texts = {text_key(text): text for text in read_queries(ARTIFACTS.queries(source)).values()}
    vectors, n = stored_vectors(
        text_determinants(card, precision),
        texts,
        partial(embed_texts_here, model, card, precision, params.runtime),
        unit="text",
        title=f"embed queries with {model}",
    )
    write_array(ARTIFACTS.query_vectors(model, source), vectors)
    say(f"embed_queries {model} {source}: {n} embedded, {len(vectors) - n} found in the store")


if __name__ == "__main__":
    run(main, "model", "source")
