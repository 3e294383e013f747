"""The images that a team has: where they lie, what is in the folder, their pixels, and which look alike.

Imports ``base`` and ``formats``.
"""
