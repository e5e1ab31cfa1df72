"""Reading the system's certificates takes longer than most of these tests, and none of them needs those."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.wire import write_certificate


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a single root, quickly read."""
    return str(write_certificate(tmp_path_factory.mktemp("roots"), "nobody.example")[0])


@pytest.fixture(autouse=True)
def few_roots(one_certificate: str) -> Iterator[None]:
    """Trust only that root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", one_certificate)
        yield
