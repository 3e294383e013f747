"""The sample's own parameters, in sample/params.yaml."""

from __future__ import annotations

from text2image.base.settings import Count, Section


class Sample(Section):
    """How many campaigns are drawn, and from which seed."""

    campaigns: Count
    seed: int
