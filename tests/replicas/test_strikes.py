"""A server is killed or stopped in each state of an execution: another picks it up, whole or nothing."""

import random
from collections import Counter

import pytest
from tests.replicas.cluster import Cluster
from tests.replicas.strikes import STRIKES

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOAK = 50


@pytest.mark.parametrize("strike", STRIKES)
async def test_a_server_is_struck(servers: Cluster, strike: str) -> None:
    await STRIKES[strike](servers)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_servers_are_struck_fifty_times_each(servers: Cluster) -> None:
    chance = random.Random(4)  # an order, not a secret
    ends: Counter[str] = Counter()
    order = [name for name in STRIKES for _ in range(SOAK)]
    chance.shuffle(order)
    for name in order:
        ends[f"{name}: {await STRIKES[name](servers)}"] += 1
    print(dict(sorted(ends.items())))
    assert sum(ends.values()) == SOAK * len(STRIKES)
