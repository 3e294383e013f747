"""Queries: what labels ask, which images answer it, what people and models judged, and the parts of fine-tuning.

May import ``base``, ``formats``, ``collection``, ``encoders`` and ``labels``. ``query`` makes queries of labels,
``relevance`` holds the rules, ``asked`` applies them to a source, ``excluded`` drops what fine-tuned models have seen;
``split`` divides for fine-tuning, ``split_files`` reads and writes what it divides; ``judging`` is for new judgements.
"""
