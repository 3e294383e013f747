"""Stage ``embed_queries@MODEL-SOURCE``: query texts as unit vectors, and what the model does not read of them.

``python -m stages.embed_queries MODEL SOURCE``. A text that was embedded before is not embedded again.
"""

from functools import partial

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.base.imports import without_collection
from text2image.encoders.models.towers import import_for
from text2image.encoders.readings import (
    Finding,
    find_misread,
    reading_figures,
    reading_sentence,
    stored_readings,
)
from text2image.encoders.vectors import (
    Card,
    embed_texts_here,
    load_card,
    stored_vectors,
    text_determinants,
    text_key,
)
from text2image.formats.files import write_array, write_json
from text2image.formats.tables import write_csv
from text2image.formats.trec import read_queries
from text2image.params import Params


def main(params: Params, model: str, source: str) -> None:
    card, precision = load_card(ARTIFACTS.card(model)), params.embed.precision
    queries = read_queries(ARTIFACTS.queries(source))
    texts = {text_key(text): text for text in queries.values()}
    readings = stored_readings(card, texts, partial(load_tokenizer, model, card))
    vectors, n = stored_vectors(
        text_determinants(card, precision),
        texts,
        partial(embed_texts_here, model, card, precision, params.runtime),
        unit="text",
        title=f"embed queries with {model}",
    )
    findings = find_misread(queries, readings, vectors)
    figures = reading_figures(readings, findings)
    write_array(ARTIFACTS.query_vectors(model, source), vectors)
    write_csv(ARTIFACTS.readings(model, source), Finding._fields, findings)
    write_json(ARTIFACTS.reading_metrics(model, source), figures)
    say(f"embed_queries {model} {source}: {n} embedded, {len(vectors) - n} found in the store")
    if sentence := reading_sentence(model, figures):
        say(f"embed_queries {model} {source}: {sentence} (see {ARTIFACTS.readings(model, source)})")


def load_tokenizer(model: str, card: Card) -> object:
    """Load the tokenizer; torch is imported only for texts that were never read."""
    with without_collection():
        import_for(card["name"])
        from text2image.encoders.models.load import load_tokenizer as load

        return load(model, card)


if __name__ == "__main__":
    run(main, "model", "source")
