"""What dvc.lock records of the last run, against the present params and files: what is left over, what is out of date.

Nothing of DVC is imported, which would take a second of every stage. May import :mod:`text2image.base` and
:mod:`text2image.artifacts`.
"""
