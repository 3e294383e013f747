"""Advertising creatives composed from cut-outs: plan a campaign, then render its renditions."""
