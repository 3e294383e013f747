"""The made-up advertisements that come with the project: plan a campaign, render its renditions, write them all.

Imports ``base`` and ``formats``.
"""
