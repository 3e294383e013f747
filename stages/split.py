"""Stage ``split@NAME``: divide what a fine-tuning run learns from into train, validation and test.

Near-duplicates are those of the catalog: similarity by a model would need a model first. The card of the base
model is written beside the division, so that a run depends on its own base model and on no other.
"""

from stages import run
from text2image.artifacts import ARTIFACTS, existing
from text2image.base.console import InputError, say
from text2image.collection.manifest import read_groups
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import Model
from text2image.encoders.vectors import Card
from text2image.formats.files import write_json
from text2image.formats.origins import circular, read_origins
from text2image.params import Params
from text2image.queries.asked import ask, join_sources
from text2image.queries.judgements import read_judgements
from text2image.queries.query import read_label_queries
from text2image.queries.split import PARTS, TEST, TRAIN, VALIDATION, divide, sizes, write_split


def main(params: Params, name: str) -> None:
    group_of, settings = read_groups(ARTIFACTS.catalog), params.finetune.runs[name]
    judgements = read_judgements(ARTIFACTS.judgements)
    relevance, texts = join_sources(
        [
            ask(source, read_label_queries(ARTIFACTS.labels(source)), judgements, group_of, params.queries)
            for source in settings.sources
        ]
    )
    train = 1 - settings.validation - settings.test
    shares = {TRAIN: train, VALIDATION: settings.validation, TEST: settings.test}
    rows = divide(relevance, texts, group_of, shares, settings.seed)
    table = sizes(rows, group_of)
    if not all(part["queries"] for part in table.values()):
        raise InputError(
            f"expected queries for {', '.join(PARTS)} from finetune.runs.{name}.sources, found {len(relevance)} "
            f"queries in {sum(part['components'] for part in table.values())} groups that share no image or text"
        )
    write_split(ARTIFACTS.split(name), rows, group_of)
    card = base_card(settings.base, params.models[settings.base])
    write_json(ARTIFACTS.base_card(name), card)
    for source in settings.sources:
        if why := circular(read_origins(existing(ARTIFACTS.origins(source))), card["origins"]):
            say(
                f"split {name}: {source} labels test neither {settings.base} nor a model made from it, so figures of this "
                f"run on them say nothing: {why}"
            )
    for part, row in table.items():
        numbers = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in row.items())
        say(f"split {name}: {part} {numbers}")


def base_card(name: str, base: Model) -> Card:
    """Describe the base model; torch is imported for that alone."""
    import_for(base.name)
    from text2image.encoders.models.card import describe

    return describe(name, base) | {"licence": base.licence}


if __name__ == "__main__":
    run(main, "name")
