"""Turns of streams: first come, first served, a few at a time, after the calls that somebody waits for."""

import asyncio

from sheetgrpc.engine.pace import _BATCH, _SENDING, Pace, Turn


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(pace: Pace, count: int) -> list[Turn]:
    turns: list[Turn] = [asyncio.get_running_loop().create_future() for _ in range(count)]
    pace.give(turns)
    return turns


def done(turns: list[Turn]) -> int:
    """How many had their turn; those are the first of them."""
    count = sum(turn.done() for turn in turns)
    assert all(turn.done() for turn in turns[:count])
    return count


async def test_a_quiet_loop_serves_a_batch_a_turn() -> None:
    assert 3 * _BATCH <= _SENDING
    turns = queue(Pace(), 3 * _BATCH)
    seen = []
    while not turns[-1].done():
        await asyncio.sleep(0)
        seen.append(done(turns))
    assert seen == [_BATCH, 2 * _BATCH, 3 * _BATCH]
    assert await asyncio.gather(*turns) == [True] * len(turns)


async def test_streams_wait_for_a_call_but_not_for_its_end() -> None:
    pace = Pace()
    with pace.first():
        turns = queue(pace, 2 * _BATCH)
        for _ in range(5):
            await asyncio.sleep(0)
        assert done(turns) == 0
        await turns[0]
        assert done(turns) == _BATCH
        await turns[-1]


async def test_the_next_call_of_a_caller_finds_the_loop_free() -> None:
    clock = Clock()
    pace = Pace(clock)
    with pace.first():
        pass
    turns = queue(pace, 1)
    await asyncio.sleep(0)
    assert done(turns) == 0
    await turns[0]
    clock.now += 1
    turns = queue(pace, 1)
    await asyncio.sleep(0)
    assert done(turns) == 1


async def test_who_left_takes_nobody_elses_turn() -> None:
    pace = Pace()
    turns = queue(pace, 2 * _BATCH)
    for turn in turns[:_BATCH]:
        turn.cancel()
    await asyncio.sleep(0)
    assert all(turn.done() for turn in turns)


async def test_what_is_given_while_streams_are_served_comes_after_them() -> None:
    pace = Pace()
    first = queue(pace, _BATCH + 1)
    await asyncio.sleep(0)
    second = queue(pace, _BATCH)
    await first[-1]
    assert done(second) == _BATCH - 1
    await asyncio.gather(*second)


async def test_no_more_are_sent_to_at_once_than_can_come_back_in_a_turn_of_the_loop() -> None:
    pace = Pace()
    turns = queue(pace, _SENDING + 2)
    for _ in range(2 * _SENDING):
        await asyncio.sleep(0)
    assert done(turns) == _SENDING
    pace.sent()
    await turns[_SENDING]


async def test_stalled_streams_keep_nobody_waiting_for_long() -> None:
    turns = queue(Pace(), 3 * _SENDING)
    assert await asyncio.gather(*turns) == [True] * len(turns)
