"""Judges whether a history of concurrent operations could have happened one at a time.

Wing and Gong's search, over configurations that are kept once however they were reached (Lowe's state caching): what
is tried at the return of an operation is every order of those under way that ends with it, and no more. So the work
goes with how many are under way at a time, not with the length of the history.

Knows no server and no session: the sequential model is a function. What a client never got an answer to may have taken
effect at any time since, or never.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

S = TypeVar("S")  # of the model: a hashable value
C = TypeVar("C")  # what is asked
A = TypeVar("A")  # what is answered
Apply: TypeAlias = Callable[[S, C], tuple[S, A]]
Over: TypeAlias = Callable[[S, C], bool]
Configuration: TypeAlias = tuple[S, frozenset[int]]  # the numbers of those under way that have taken effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[C, A]):
    """One call: `called` and `returned` are moments of one clock, no two alike; `returned` is None for unknown."""

    called: int
    returned: int | None
    command: C
    answer: A | None = None  # looked at only where it returned


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation(Generic[S, C, A]):
    """The first operation whose answer no order explains, and the states that there could have been before."""

    operation: Operation[C, A]
    under_way: tuple[Operation[C, A], ...]
    states: frozenset[S]


class Recorder(Generic[C, A]):
    """Writes a history down as it happens, in one process: the clock is the order of the calls to it."""

    def __init__(self) -> None:
        self.history: list[Operation[C, A]] = []
        self._moment = 0

    def moment(self) -> int:
        """The next moment: taken before a call is sent."""
        self._moment += 1
        return self._moment

    def answered(self, called: int, command: C, answer: A) -> None:
        """An operation that is over."""
        operation = Operation(called=called, returned=self.moment(), command=command, answer=answer)
        self.history.append(operation)

    def unanswered(self, called: int, command: C) -> None:
        """An operation that nobody will tell the end of."""
        self.history.append(Operation(called=called, returned=None, command=command))


def find_violation(
    history: Sequence[Operation[C, A]], start: S, apply: Apply[S, C, A], over: Over[S, C] | None = None
) -> Violation[S, C, A] | None:
    """None if the history is linearizable.

    `apply` answers the next state and what the caller is told; a command that is refused leaves the state as it is.
    `over` spares work: True where a command can have no effect any more, in this state and in all that may follow.
    """
    # Of an operation under way a configuration says whether it has taken effect; of all others that is known.
    configurations: set[Configuration[S]] = {(start, frozenset())}
    under_way: dict[int, Operation[C, A]] = {}
    for number, returns in _events(history):
        if not returns:
            under_way[number] = history[number]
            continue
        after = _linearize(configurations, under_way, number, apply)
        if not after:
            states = frozenset(state for state, _ in configurations)
            return Violation(operation=history[number], under_way=tuple(under_way.values()), states=states)
        del under_way[number]
        configurations = _forget(after, under_way, over)
    return None


def _events(history: Sequence[Operation[C, A]]) -> Iterator[tuple[int, bool]]:
    """Calls and returns in the order of their moments, as the number of the operation and whether it returns."""
    calls = [(operation.called, number, False) for number, operation in enumerate(history)]
    returns = [(one.returned, number, True) for number, one in enumerate(history) if one.returned is not None]
    for _, number, is_return in sorted(calls + returns):
        yield number, is_return


def _linearize(
    configurations: Iterable[Configuration[S]],
    under_way: dict[int, Operation[C, A]],
    wanted: int,
    apply: Apply[S, C, A],
) -> set[Configuration[S]]:
    """Every configuration in which `wanted` has taken effect, last of all or long ago; it is forgotten in them."""
    found: set[Configuration[S]] = set()
    left = list(configurations)
    seen = set(left)
    while left:
        state, done = left.pop()
        if wanted in done:
            found.add((state, done - {wanted}))
            continue
        for number, operation in under_way.items():
            if number in done:
                continue
            after = _take(state, operation, apply)
            if after is None:
                continue
            configuration = (after[0], done | {number})
            if configuration not in seen:
                seen.add(configuration)
                left.append(configuration)
    return found


def _take(state: S, operation: Operation[C, A], apply: Apply[S, C, A]) -> tuple[S] | None:
    """The state after the operation took effect here; None if it cannot have, or need not."""
    after, answer = apply(state, operation.command)
    if operation.returned is None:
        return None if after == state else (after,)  # without an effect it is as good as never
    return (after,) if answer == operation.answer else None


def _forget(
    configurations: set[Configuration[S]], under_way: dict[int, Operation[C, A]], over: Over[S, C] | None
) -> set[Configuration[S]]:
    """Without the unanswered that have taken effect in every configuration, or cannot in any."""
    certain = frozenset.intersection(*(done for _, done in configurations))
    settled = {number for number in certain if under_way[number].returned is None}
    if over is not None:
        lost = [number for number, operation in under_way.items() if operation.returned is None]
        settled |= {
            number
            for number in lost
            if all(number not in done and over(state, under_way[number].command) for state, done in configurations)
        }
    for number in settled:
        del under_way[number]
    return {(state, done - settled) for state, done in configurations} if settled else configurations
