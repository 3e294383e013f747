"""Measures of retrieval from exact ranks: per query, with chance level and intervals, compared and made into tables.

Figures in, figures out: no vector is needed here but in :mod:`text2image.evaluation.labels`. May import
:mod:`text2image.base` to :mod:`text2image.retrieval`, in the order that docs and tests give.
"""
