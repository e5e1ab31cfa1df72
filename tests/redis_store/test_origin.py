"""What is said of a Redis that throws away what it keeps."""

import pytest
from latchpin_redis_store.origin import explain_evictions

LRU = {"maxmemory_policy": "allkeys-lru", "evicted_keys": "2"}
TTL = {"maxmemory_policy": "volatile-ttl", "evicted_keys": "1"}
KEEPS = {"maxmemory_policy": "noeviction", "evicted_keys": "7"}
IDLE = {"maxmemory_policy": "allkeys-random", "evicted_keys": "0"}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], ""),
        ([{}], ""),
        ([KEEPS, IDLE], ""),
        ([TTL], "it has thrown away 1 key since it started, under maxmemory-policy volatile-ttl"),
        ([LRU, KEEPS], "it has thrown away 2 keys since it started, under maxmemory-policy allkeys-lru"),
        ([TTL, LRU], "it has thrown away 3 keys since it started, under maxmemory-policy allkeys-lru, volatile-ttl"),
    ],
)
def test_the_servers_that_throw_away_are_named_by_their_policy(told, said):
    assert explain_evictions(told) == said
