"""Many deadlines on one timer: who misses one is told so once, whoever keeps it costs no timer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sheetgrpc.engine import deadlines
from sheetgrpc.engine.deadlines import Deadlines, Waiters


@dataclass(eq=False)
class Timer:
    """One of the loop's."""

    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    """A loop as far as its timers go."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def go_to(self, now: float) -> None:
        """Lets time pass, and timers go off."""
        while due := [timer for timer in self.timers if not timer.cancelled and timer.at <= now]:
            first = min(due, key=Timer.when)
            self.timers.remove(first)
            self.now = max(self.now, first.at)
            first.call()
        self.now = now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deadlines.asyncio, "get_running_loop", lambda: clock)
    return clock


def test_who_misses_a_deadline_is_told_so_once(clock: Clock) -> None:
    missed: list[str] = []
    some = Deadlines(missed.append)
    some.add("late", 2)
    some.add("soon", 1)
    clock.go_to(0.9)
    assert missed == []
    clock.go_to(1)
    assert missed == ["soon"]
    clock.go_to(5)
    assert missed == ["soon", "late"]
    assert all(timer.cancelled for timer in clock.timers)


def test_what_has_happened_is_not_missed_and_may_be_awaited_again(clock: Clock) -> None:
    missed: list[str] = []
    some = Deadlines(missed.append)
    some.add("it", 1)
    some.drop("it")
    some.drop("it")
    clock.go_to(0.5)
    some.add("it", 1)
    clock.go_to(1.2)
    assert missed == []
    clock.go_to(2)
    assert missed == ["it"]


def test_a_later_deadline_takes_the_place_of_an_earlier_one(clock: Clock) -> None:
    missed: list[str] = []
    some = Deadlines(missed.append)
    some.add("it", 1)
    some.add("it", 3)
    clock.go_to(2)
    assert missed == []
    clock.go_to(3)
    assert missed == ["it"]


def test_a_thousand_that_are_kept_cost_one_timer(clock: Clock) -> None:
    missed: list[int] = []
    some = Deadlines(missed.append)
    made = 0
    for round_ in range(100):
        clock.go_to(round_ / 10)
        for key in range(1000):
            some.add(key, 15)
        made = max(made, len(clock.timers))
        assert set(some.take()) == set(range(1000))
    assert made == 1
    assert missed == []


def test_deadlines_close_together_are_looked_at_together(clock: Clock) -> None:
    missed: list[int] = []
    looks: list[float] = []
    some = Deadlines(lambda key: (missed.append(key), looks.append(clock.now))[0])
    for key in range(1000):
        some.add(key, 1 + key / 10_000)
    clock.go_to(2)
    assert missed == list(range(1000))
    assert len(set(looks)) <= 7  # a tenth of a second in grains of a fiftieth


async def test_a_waiter_is_answered_by_who_takes_it_or_by_its_time() -> None:
    some = Waiters()
    waiting = asyncio.ensure_future(some.wait(60))
    await asyncio.sleep(0)
    (waiter,) = some.take()
    waiter.set_result(True)
    assert await waiting
    assert not await some.wait(0)


async def test_a_waiter_that_is_cancelled_is_not_there_any_more() -> None:
    some = Waiters()
    waiting = asyncio.ensure_future(some.wait(60))
    await asyncio.sleep(0)
    assert len(some) == 1
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert len(some) == 0
    assert not some.take()
