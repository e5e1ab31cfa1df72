"""Clusters of real servers, each made once for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.clusters import ValkeyCluster


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[ValkeyCluster]:
    cluster = ValkeyCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared_cluster: ValkeyCluster) -> ValkeyCluster:
    """Three primaries with a replica each, and empty. A test that kills one makes its own cluster."""
    shared_cluster.flush()
    return shared_cluster
