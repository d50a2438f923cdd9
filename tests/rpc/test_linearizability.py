"""The judge judged: histories by hand, and a search by brute force beside it."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.rpc.linearizability import Operation, Recorder, find_violation

# A register that holds a number; cas is (expected, next).
Command: TypeAlias = tuple[str, int, int]
Answer: TypeAlias = int | bool | None
History: TypeAlias = list[Operation[Command, Answer]]


def apply(state: int, command: Command) -> tuple[int, Answer]:
    match command:
        case ("read", _, _):
            return state, state
        case ("write", value, _):
            return value, None
        case ("add", value, _):
            return state + value, state + value
        case (_, expected, value):
            return (value, True) if state == expected else (state, False)


def history(text: str) -> History:
    """`cas 0 1 true @3..5`: asked at 3, answered at 5; `@3..` never answered; one a line, the register begins at 0."""
    found: History = []
    for line in filter(None, (line.strip() for line in text.split(";"))):
        words, _, times = line.partition("@")
        name, *values = words.split()
        called, _, returned = times.partition("..")
        arguments = {"read": 0, "write": 1, "add": 1, "cas": 2}[name]
        numbers = [int(value) for value in values[:arguments]] + [0, 0]
        answer = {"true": True, "false": False, "": None}.get(told := "".join(values[arguments:]), told)
        found.append(
            Operation(
                called=int(called),
                returned=int(returned) if returned else None,
                command=(name, numbers[0], numbers[1]),
                answer=int(answer) if isinstance(answer, str) else answer,
            )
        )
    return found


GOOD = {
    "nothing at all": "",
    "one after the other": "read 0 @1..2; write 1 @3..4; read 1 @5..6",
    "a read beside a write sees the old": "write 1 @1..4; read 0 @2..3",
    "a read beside a write sees the new": "write 1 @1..4; read 1 @2..3",
    "two reads beside a write, old and then new": "write 1 @1..6; read 0 @2..3; read 1 @4..5",
    "two reads beside a write and each other, new and old": "write 1 @1..6; read 1 @2..5; read 0 @3..4",
    "two writes at once, either order": "write 1 @1..4; write 2 @2..3; read 1 @5..6",
    "two writes at once, the other order": "write 1 @1..4; write 2 @2..3; read 2 @5..6",
    "of two compare-and-sets at once one wins": "cas 0 1 true @1..4; cas 0 2 false @2..3; read 1 @5..6",
    "a compare-and-set that depends on one under way": "cas 0 1 true @1..6; cas 1 2 true @2..3; read 2 @4..5",
    "a chain of three, called in the wrong order": "cas 2 3 true @1..6; cas 1 2 true @2..5; cas 0 1 true @3..4",
    "one effect of one call": "add 1 1 @1..2; read 1 @3..4",
    "unanswered, and it never happened": "write 1 @1..; read 0 @2..3; read 0 @4..5",
    "unanswered, and it happened at once": "write 1 @1..; read 1 @2..3; read 1 @4..5",
    "unanswered, and it happened late": "write 1 @1..; read 0 @2..3; read 0 @4..5; read 1 @6..7",
    "unanswered, after a write that was answered": "write 1 @1..; write 2 @2..3; read 2 @4..5; read 1 @6..7",
    "two unanswered, in the other order": "write 1 @1..; write 2 @2..; read 2 @3..4; read 1 @5..6",
    "an unanswered compare-and-set whose time comes": "cas 1 2 @1..; write 1 @2..3; read 1 @4..5; read 2 @6..7",
    "an unanswered one explains a refusal": "cas 0 1 @1..; cas 0 2 false @2..3",
    "an unanswered read": "read @1..; write 1 @2..3; read 1 @4..5",
}
BAD = {
    "a first read of something else": "read 1 @1..2",
    "a stale read": "write 1 @1..2; read 0 @3..4",
    "a read that goes back": "write 1 @1..6; read 1 @2..3; read 0 @4..5",
    "two readers see two writes in two orders": (
        "write 1 @1..10; write 2 @2..11; read 1 @3..4; read 2 @5..6; read 1 @7..8"
    ),
    "a read from the future": "read 1 @1..2; write 1 @3..4",
    "a lost update": "cas 0 1 true @1..2; read 0 @3..4",
    "two winners": "cas 0 1 true @1..4; cas 0 2 true @2..3",
    "no winner": "cas 0 1 false @1..2",
    "a refusal that nothing explains": "cas 0 1 true @1..2; cas 1 2 false @3..4",
    "two adds that read the same": "add 1 1 @1..4; add 1 1 @2..3",
    "a duplicate effect": "add 1 1 @1..2; read 2 @3..4",
    "an unanswered one that happens twice": "add 1 @1..; read 1 @2..3; read 2 @4..5",
    "an unanswered one that is taken back": "add 1 @1..; read 1 @2..3; read 0 @4..5",
    "an unanswered one before it was asked": "read 1 @1..2; write 1 @3..",
    "writes out of order": "write 1 @1..2; write 2 @3..4; read 1 @5..6",
    "a chain with a hole": "cas 0 1 true @1..2; cas 2 3 true @3..4",
    "an unanswered compare-and-set that could not be": "cas 1 2 @1..; read 2 @2..3",
    "a refusal before its reason": "cas 0 1 false @1..2; write 1 @3..4",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_accepted(name: str) -> None:
    assert find_violation(history(GOOD[name]), 0, apply) is None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected(name: str) -> None:
    assert find_violation(history(BAD[name]), 0, apply) is not None


def test_a_violation_names_the_answer_that_nothing_explains() -> None:
    found = find_violation(history("write 1 @1..2; write 2 @3..; read 0 @4..5"), 0, apply)
    assert found is not None
    assert (found.operation.called, found.states) == (4, {1})
    assert {one.called for one in found.under_way} == {3, 4}


def test_a_recorder_keeps_the_order_of_calls_and_answers() -> None:
    recorder = Recorder[Command, Answer]()
    first, second, third = recorder.moment(), recorder.moment(), recorder.moment()
    recorder.answered(second, ("read", 0, 0), 0)
    recorder.answered(first, ("write", 1, 0), None)
    recorder.unanswered(third, ("write", 2, 0))
    assert recorder.history == history("read 0 @2..4; write 1 @1..5; write 2 @3..")


@some.composite
def histories(draw: some.DrawFn) -> History:
    """Small ones, most of them nearly right: answers are those of some order, one of them changed now and then."""
    count = draw(some.integers(1, 5))
    moments = draw(some.permutations(range(2 * count)))
    order = draw(some.permutations(range(count)))
    commands = [_command(*draw(some.tuples(some.integers(0, 3), some.integers(0, 2)))) for _ in range(count)]
    answers: dict[int, Answer] = {}
    state = 0
    for number in order:
        state, answers[number] = apply(state, commands[number])
    if draw(some.booleans()):
        answers[draw(some.integers(0, count - 1))] = draw(some.integers(0, 2))
    lost = draw(some.sets(some.integers(0, count - 1), max_size=2))
    found: History = []
    for number in range(count):
        called, returned = sorted(moments[2 * number : 2 * number + 2])
        end = None if number in lost else returned
        found.append(Operation(called=called, returned=end, command=commands[number], answer=answers[number]))
    return found


@given(histories())
def test_the_verdict_is_that_of_trying_every_order(made: History) -> None:
    assert (find_violation(made, 0, apply) is None) is any(map(_explains, _orders(made)))


def _command(kind: int, value: int) -> Command:
    return [("read", 0, 0), ("write", value, 0), ("add", 1, 0), ("cas", value, value + 1)][kind]


def _orders(made: History) -> Iterator[Sequence[Operation[Command, Answer]]]:
    """Every order of all that returned and of some that did not, in which nobody goes before who had come earlier."""
    known = [one for one in made if one.returned is not None]
    lost = [one for one in made if one.returned is None]
    for count in range(len(lost) + 1):
        for taken in itertools.combinations(lost, count):
            for order in itertools.permutations([*known, *taken]):
                if all(
                    later.returned is None or later.returned > earlier.called
                    for earlier, later in itertools.combinations(order, 2)
                ):
                    yield order


def _explains(order: Sequence[Operation[Command, Answer]]) -> bool:
    state = 0
    for operation in order:
        state, answer = apply(state, operation.command)
        if operation.returned is not None and answer != operation.answer:
            return False
    return True
