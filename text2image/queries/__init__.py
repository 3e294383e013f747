"""Queries: what labels ask, which images answer it, what people and models judged, and the parts of fine-tuning.

May import ``base``, ``formats``, ``collection``, ``encoders`` and ``labels``. ``query`` makes queries of labels,
``relevance`` holds the rules, ``asked`` applies them to a source and drops what fine-tuned models have seen;
``split`` divides for fine-tuning; ``judging`` is for new judgements.
"""
