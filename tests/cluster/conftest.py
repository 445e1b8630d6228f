"""The kubectls, and a server that they ask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver import RELEASES, ApiServer, Kubectl, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def kubectls(request: pytest.FixtureRequest) -> Path:
    """The folder with the kubectl of each release, installed once; skip where it cannot be, if that is allowed."""
    folder = Path(str(request.config.rootpath)) / ".pytest_cache" / "kubectl"
    reason = why_not(folder)
    if reason and os.environ.get("IPTVIZ_REQUIRE_KUBECTL"):
        pytest.fail(f"the kubectls are required here, but: {reason}")
    if reason:
        pytest.skip(f"no kubectl: {reason}")
    return folder


@pytest.fixture(scope="session")
def _serving() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def api(_serving: ApiServer) -> ApiServer:
    """A server without objects and without faults."""
    _serving.put(())
    return _serving


@pytest.fixture(params=RELEASES)
def kubectl(request: pytest.FixtureRequest, kubectls: Path, api: ApiServer, tmp_path: Path) -> Kubectl:
    """The kubectl of each release, which has asked no server yet."""
    return Kubectl(request.param, kubectls / request.param / "kubectl", tmp_path, api.url)
