"""Progress on a terminal and in a pipe, with updates left out as the server may."""

import io
import re

import pytest

from sheetgrpc.cli.progress import Bars, Display, Lines, OneBar, display_for
from sheetgrpc.cli.terminal import Terminal
from sheetgrpc.client import Finished, PhaseCompleted, PhaseStarted, Progress, Snapshot, Update
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.sheet_pb2 import Phase, Sheet


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def sheet_of(*sizes: int) -> Sheet:
    phases = [Phase(depth=depth, statement_count=size) for depth, size in enumerate(sizes)]
    return Sheet(statement_count=sum(sizes), phase_count=len(sizes), phases=phases[:1000])


def shown(screen: io.StringIO, display: Display, *updates: Update) -> str:
    with display:
        for update in updates:
            display.show(update)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def last_counts(text: str) -> list[str]:
    """The figures of the last drawing of each bar."""
    return [line[-1] for line in re.findall(r"(phase \d+).*? +(\d+/\d+)", text)][-2:]


def test_the_display_fits_where_it_is_shown() -> None:
    assert type(display_for(Terminal(io.StringIO()), sheet_of(1))) is Lines
    assert type(display_for(Terminal(Screen()), sheet_of(*[1] * 20))) is Bars
    assert type(display_for(Terminal(Screen()), sheet_of(*[1] * 21))) is OneBar


@pytest.mark.parametrize(
    ("update", "lines"),
    [
        (PhaseCompleted(first_depth=1, last_depth=1, succeeded=3), ["  phase 1: 3 done"]),
        (PhaseCompleted(first_depth=0, last_depth=1, succeeded=5), ["  phase 0: 2 done", "  phase 1: 3 done"]),
        (
            PhaseCompleted(first_depth=0, last_depth=1, succeeded=3, failed=1, skipped=1),
            ["  phases 0 to 1: 3 done, 1 failed, 1 skipped"],
        ),
        (PhaseCompleted(first_depth=1, last_depth=9, succeeded=9000), ["  phases 1 to 9: 9,000 done"]),
        (PhaseCompleted(first_depth=1, last_depth=1, failed=1), ["  phase 1: 0 done, 1 failed"]),
        (PhaseStarted(depth=1), []),
        (Progress(completed=3, total=5), []),
    ],
)
def test_a_pipe_gets_a_line_a_phase_that_ended(update: Update, lines: list[str]) -> None:
    stream = io.StringIO()
    assert shown(stream, display_for(Terminal(stream), sheet_of(2, 3)), update).splitlines() == lines


@pytest.mark.parametrize(
    ("updates", "counts"),
    [
        ([], ["0/2", "0/3"]),
        ([Progress(completed=1, total=5)], ["1/2", "0/3"]),
        ([Progress(completed=4, total=5)], ["2/2", "2/3"]),
        ([PhaseCompleted(first_depth=0, last_depth=1)], ["2/2", "3/3"]),
        ([PhaseCompleted(first_depth=0, last_depth=0), Progress(completed=1, total=5)], ["2/2", "0/3"]),
        ([Snapshot(Execution(phases_completed=1))], ["2/2", "0/3"]),
        ([Finished(Execution(phases_completed=2))], ["2/2", "3/3"]),
        ([Finished(Execution(phases_completed=0))], ["0/2", "0/3"]),
        ([Finished(Execution(phases_completed=9))], ["2/2", "3/3"]),
    ],
)
def test_each_bar_follows_from_the_total(updates: list[Update], counts: list[str]) -> None:
    screen = Screen()
    assert last_counts(shown(screen, display_for(Terminal(screen), sheet_of(2, 3)), *updates)) == counts


def test_a_sheet_of_many_phases_has_one_bar() -> None:
    screen = Screen()
    text = shown(
        screen,
        display_for(Terminal(screen), sheet_of(*[2] * 2000)),
        Progress(completed=100, total=4000),
        PhaseCompleted(first_depth=0, last_depth=49),
    )
    assert "phase 49 of 1999" in text
    assert "100/4000" in text
