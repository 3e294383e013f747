"""Judging: what is to be judged, one judge's way through it, and a vision model as judge.

May import what ``queries`` may. The page and the terminal that people judge in are in ``pages.judge``.
"""
