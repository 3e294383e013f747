"""Which text-to-image system finds the right picture in a collection, how well, and why it fails.

The library behind the pipeline in dvc.yaml, cut by subject. Each package imports only packages that stand before it:
base, formats, collection, sample, encoders, labels, queries, retrieval, evaluation, finetuning, cluster; then params,
artifacts, pages, commands and cli. CONTRIBUTING.md has the map.
"""


def __getattr__(name: str) -> str:
    """Return the version that is installed; reading it takes as long as some imports, and hardly anybody asks."""
    if name == "__version__":
        from importlib.metadata import version

        return version("text2image-retrieval")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
