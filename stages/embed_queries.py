"""Stage ``embed_queries@MODEL-SOURCE``: query texts as unit vectors.

``python -m stages.embed_queries MODEL SOURCE``. A text that was embedded before is not embedded again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages import run
from text2image.base.console import progress, say
from text2image.base.store import Store
from text2image.encoders.models import load_card
from text2image.encoders.vectors import gather, text_determinants, text_key
from text2image.formats.files import write_array
from text2image.formats.trec import read_queries
from text2image.params import Params


def embed_missing(
    name: str, card: dict[str, Any], texts: Mapping[str, str], store: Store, params: Params
) -> None:
    """Embed ``texts`` (key to text) and put each batch into the store."""
    from text2image.encoders.device import pick_device
    from text2image.encoders.embedding import embed_texts
    from text2image.encoders.models import load_model

    device = pick_device(params.runtime.device)
    model = load_model(name, card, device, params.embed.precision)
    with progress(total=len(texts), unit="text", title=f"embed queries with {name}") as bar:
        for batch, rows in embed_texts(model, list(texts.values()), device, params.runtime):
            store.put((text_key(text), row.tobytes()) for text, row in zip(batch, rows, strict=True))
            bar.update(len(batch))


def main(params: Params, model: str, source: str) -> None:
    card = load_card(model)
    texts = {text_key(text): text for text in read_queries(Path(f"data/queries/{source}.tsv")).values()}
    with Store("embeddings", text_determinants(card, params.embed.precision)) as store:
        missing = {key: texts[key] for key in store.missing(texts)}
        if missing:
            embed_missing(model, card, missing, store, params)
        write_array(Path(f"data/embeddings/{model}/{source}.npy"), gather(store, list(texts)))
    say(
        f"embed_queries {model} {source}: {len(missing)} embedded, {len(texts) - len(missing)} found in the store"
    )


if __name__ == "__main__":
    run(main, "model", "source")
