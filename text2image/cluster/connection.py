"""A connection to Ray: to the cluster that ``RAY_ADDRESS`` names, or to a small one of this machine alone."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from text2image.base.console import InputError, one_line

OBJECT_STORE = 256 * 1024**2  # bytes of a cluster of our own: paths go out and vectors come back, no pixels
ANSWER_SECONDS = 10.0  # until an address counts as not there


@contextmanager
def connected() -> Iterator[None]:
    """Be connected to Ray, unless the process is already.

    Workers run this process's own copy of the package ``text2image``, wherever they are. A cluster
    started here listens on loopback alone and ends with the process; none that is started or joined here
    reports its usage to anybody.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    address = os.environ.get("RAY_ADDRESS", "").strip() or "local"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reads both when it is imported
    if address == "local":
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on any system: bind to loopback
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"expected Ray for runtime.engine: ray in params.yaml, found {one_line(error)}; run "
            "pip install 'text2image-retrieval[ray]', or in this repository: pip install -e '.[ray]'"
        ) from None
    if ray.is_initialized():
        yield
        return
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    """Join the cluster at an address, or start one for ``local``."""
    import ray

    if address.startswith("ray://"):
        raise InputError(
            f"expected RAY_ADDRESS to be host:port or auto, on a machine of the cluster, found {one_line(address)}: "
            "the results come to this machine's disk, and Ray's client protocol does not carry them"
        )
    package = Path(__file__).resolve().parents[1]
    options: dict[str, Any]
    if address == "local":
        paths = filter(None, [str(package.parent), os.environ.get("PYTHONPATH")])
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # inherited, which is seconds faster than a copy
        options = {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    else:
        options = {"runtime_env": {"py_modules": [str(package)], "excludes": ["__pycache__"]}}
    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal():  # for an address where nobody answers, Ray would wait for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # OSError, RuntimeError, ValueError … by version and cause
        raise InputError(
            f"expected a Ray cluster for runtime.engine: ray in params.yaml (RAY_ADDRESS: {one_line(address)}), "
            f"found: {one_line(error) or type(error).__name__}"
        ) from None
