import pytest

from tests.web.small_gateway import open_gateway


@pytest.fixture
async def gateway():
    async with open_gateway() as opened:
        yield opened


@pytest.fixture
async def client(gateway):
    async with gateway.client() as opened:
        yield opened
