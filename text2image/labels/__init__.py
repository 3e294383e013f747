"""Texts for images, from one source or another: people, a classifier, words on the image, vision models.

Every source is a package here, and :mod:`text2image.labels.protocol` says what it has to offer. A source may
import ``base``, ``formats``, ``collection``, ``encoders`` and the protocol, and no other source. Importing a
``source.py`` is quick, since params.yaml cannot be read without: models and clients are imported when they run.
"""
