"""Judging what was found: the pool of images to grade, and the ways to grade it (page, terminal, model)."""
