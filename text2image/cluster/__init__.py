"""The costly stages on several machines: ``runtime.engine: ray`` in params.yaml; see docs/cluster.md.

Imports ``base``, ``formats``, ``collection``, ``encoders`` and ``labels``.
"""
