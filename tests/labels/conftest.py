"""Fixtures of the tests of label sources."""

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_cache import HubCache
from tests.support.workplace import REPOSITORY
from text2image.base.settings import Runtime
from text2image.params import Params, load_params


@pytest.fixture(scope="session")
def defaults() -> Params:
    """The repository's params.yaml."""
    return load_params(REPOSITORY / "params.yaml")


@pytest.fixture(scope="session")
def runtime(defaults: Params) -> Runtime:
    """Two threads on a CPU."""
    return defaults.runtime.model_copy(update={"device": "cpu", "workers": 2})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: any attempt to reach it is an error."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("network is unreachable")

    for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(owner, name, refuse)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubCache:
    """An empty cache of the Hugging Face hub, and no hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return HubCache(tmp_path / "hub")
