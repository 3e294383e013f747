"""Ranking images for queries: scores, ranks and the tie rule, whole galleries, approximate indexes.

Vectors and paths in, ranks and files of rankings out; nothing here knows how queries or vectors came about, or
what will be measured. May import :mod:`text2image.base`, :mod:`text2image.formats` and
:mod:`text2image.collection`.
"""
