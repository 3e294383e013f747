"""open_clip models at work: images and texts to unit vectors, the same bits on every schedule, stored for good.

``models`` finds, describes and loads them, ``builtin`` makes the one that needs no download. Imports ``base``,
``formats`` and ``collection``.
"""
