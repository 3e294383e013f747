"""What a label source is, and what is done with every source alike: answers are stored, read and summed up.

Imports ``base``, ``formats`` and ``collection``, and sources by their names only.
"""
