"""Label source ``human``: texts that people wrote, from a CSV."""
