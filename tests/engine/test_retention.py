"""How long an answer is given again: to the microsecond as long as was promised, and nothing is swept before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engine.driving import Driver, drive

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents

TTL = 60_000_000  # microseconds
START = 1_900_000_000_000_000


class Hands:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def timed(path: Path, hands: Hands) -> AsyncIterator[Driver]:
    async with drive(path, start=False, draws=Draws(now=hands), request_id_ttl=TTL / 1e6) as driver:
        yield driver


async def test_an_answer_is_kept_to_the_last_microsecond_of_its_time(timed: Driver, hands: Hands) -> None:
    """D-44: before, at and beyond the boundary."""
    first = await timed.send("", intents.CreateSession(), "r")
    assert first.stored is not None
    assert first.stored.expires_at == START + TTL
    hands.now = START + TTL - 1
    again = await timed.send("", intents.CreateSession(), "r")
    assert (again.body, again.replayed) == (first.body, True)
    hands.now = START + TTL
    fresh = await timed.send("", intents.CreateSession(), "r")
    assert (fresh.body == first.body, fresh.replayed) == (False, False)
    assert fresh.stored is not None
    assert fresh.stored.expires_at == START + 2 * TTL
    assert (await timed.send("", intents.CreateSession(), "r")).body == fresh.body


async def test_a_request_id_whose_time_is_over_may_mean_something_else(timed: Driver, hands: Hands) -> None:
    await timed.send("", intents.CreateSession(name="old"), "r", b"old")
    hands.now = START + TTL
    assert not (await timed.send("", intents.CreateSession(name="new"), "r", b"new")).replayed


async def test_what_is_swept_has_expired_and_what_has_expired_is_swept(timed: Driver, hands: Hands) -> None:
    """D-47."""
    for number in range(30):
        hands.now = START + number * 1000
        await timed.send("", intents.CreateSession(), f"r-{number}")
    for number in range(30, 60):
        hands.now = START + TTL + (number - 30) * 1000 + number % 2
        await timed.send("", intents.CreateSession(), f"r-{number}")
        await timed.engine.sweeper.sweep()
        kept = timed.rows("SELECT expires_at FROM sheetgrpc_replies ORDER BY expires_at")
        assert kept[0] > hands.now
        assert len(kept) == 30  # one more, one less


async def test_a_clock_that_goes_back_keeps_what_it_kept(timed: Driver, hands: Hands) -> None:
    """D-30, of answers: none is taken for expired, none for eternal."""
    first = await timed.send("", intents.CreateSession(), "r")
    hands.now = START - 10 * TTL
    await timed.send("", intents.CreateSession(), "other")
    assert (await timed.send("", intents.CreateSession(), "r")).body == first.body
    hands.now = START + TTL
    assert not (await timed.send("", intents.CreateSession(), "r")).replayed
