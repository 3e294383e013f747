"""What decides the bytes of the files that stages pass on: atomic writes, JSON, CSV, TREC files, normal forms of texts.

May import ``base``. It knows forms, not places: paths are given. Every stage that writes depends on it.
"""
