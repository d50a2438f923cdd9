"""A server is killed or stopped in each state of an execution: another picks it up, whole or nothing."""

import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.postgres import Server, migrate
from tests.replicas.cluster import YARD, Cluster, cluster
from tests.replicas.strikes import STRIKES

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOAK = 50


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Two of them, up whenever a test begins."""
    url = await postgres_server.fresh(YARD, migrate)
    async with cluster(url, tmp_path_factory.mktemp("struck"), 2) as started:
        yield started
    await postgres_server.drop(url)


@pytest.mark.parametrize("strike", STRIKES)
async def test_a_server_is_struck(servers: Cluster, strike: str) -> None:
    for replica in servers.replicas:
        await replica.ensure()
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
