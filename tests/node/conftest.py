"""Node, its packages installed once, and one gateway with every plugin that flows need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.conftest import start_proxy
from tests.servers.node import Node, find_node, install_packages
from tests.support.gateway_process import Rig

PACKAGES = {
    "oidc-provider": "9.13.3",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    "@modelcontextprotocol/sdk": "1.32.2",
}
FOLDER = Path(os.environ.get("NODE_PACKAGES") or Path(__file__).parents[2] / ".tox" / "node-packages")


@pytest.fixture(scope="session")
def node() -> Node:
    return find_node()


@pytest.fixture(scope="session")
def packages(node: Node) -> Path:
    """The folder with the installed ``node_modules``."""
    return install_packages(node, FOLDER.resolve(), PACKAGES).parent


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with start_proxy(Path(tmp_path_factory.mktemp("gateway"))) as rig:
        yield rig
