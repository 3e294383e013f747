"""The sample's own parameters, in sample/params.yaml."""

from text2image.base.settings import Count, Section


class Sample(Section):
    """How many campaigns are drawn, and from which seed."""

    campaigns: Count
    seed: int
