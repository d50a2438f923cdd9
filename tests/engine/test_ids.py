"""Ids: unique and rising, whatever the clock does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.engine.driving import drive

from sheetgrpc.clock import Draws, wall_clock
from sheetgrpc.store.records import SessionFilter

MANY = 10_000
NOW = 1_700_000_000_000_000


def standing() -> Iterator[int]:
    """Ten thousand times the same microsecond."""
    return iter([NOW] * MANY)


def going_back() -> Iterator[int]:
    """A clock that is set back an hour half-way, and goes on from there."""
    return iter([*(NOW + at for at in range(MANY // 2)), *(NOW - 3_600_000_000 + at for at in range(MANY // 2))])


def trembling() -> Iterator[int]:
    """A clock that jumps between two milliseconds."""
    return iter([NOW + at % 2 * 1000 for at in range(MANY)])


@pytest.mark.parametrize("clock", [standing, going_back, trembling])
@pytest.mark.parametrize("entropy", [lambda bits: 0, lambda bits: 2**bits - 1])
def test_ten_thousand_ids_rise_strictly(clock: Callable[[], Iterator[int]], entropy: Callable[[int], int]) -> None:
    """D-38: within one millisecond, and with the clock going back; the least and the most that chance can give."""
    draws = Draws(clock().__next__, entropy)
    ids = [draws.draw().id for _ in range(MANY)]
    assert ids == sorted(set(ids))
    assert len(ids) == MANY
    assert {len(one) for one in ids} == {26}
    assert {one[0] for one in ids} <= set("01234567")


async def test_sessions_made_within_one_millisecond_are_listed_newest_first(path: Path) -> None:
    """D-38, L1: the tie of their times is broken by ids that rise."""
    at = wall_clock()
    async with drive(path, draws=Draws(lambda: at)) as fleet:
        made = [await fleet.open(f"s{number}") for number in range(50)]
        listed = await fleet.engine.list_sessions(SessionFilter(), 100, None)
    assert [view.row.session.id for view in listed] == made[::-1]
