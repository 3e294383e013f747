"""Where a label source computes: on this machine, or on those of a cluster, as ``runtime.engine`` says."""

from text2image.base.settings import Runtime, Section
from text2image.labels.protocol.source import ComputedSource, LabelSource, load_source


def source_on_engine(name: str, settings: Section, runtime: Runtime) -> LabelSource:
    """Return the label source ``name`` with its settings, computing where ``runtime.engine`` says."""
    source = load_source(name, settings)
    if runtime.engine == "ray" and isinstance(source, ComputedSource):
        from text2image.cluster.workers import SourceOnCluster

        return SourceOnCluster(name, source)
    return source
