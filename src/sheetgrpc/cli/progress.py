"""How far an execution is, as it goes: bars on a terminal, a line a phase in a pipe."""

from collections.abc import Mapping
from itertools import accumulate
from types import TracebackType
from typing import Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from sheetgrpc.cli.terminal import Terminal, plural
from sheetgrpc.client import Finished, PhaseCompleted, Snapshot, Update
from sheetgrpc.client import Progress as ProgressUpdate
from sheetgrpc.v1.sheet_pb2 import Sheet

MOST_BARS = 20
MOST_LINES = 20  # of one update


class Display(Protocol):
    """Something that shows updates from `with` to its end."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show no more."""

    def show(self, update: Update) -> None:
        """Show what an update says."""

    def pause(self) -> None:
        """Leave the terminal to others for a while; updates are noted all the same."""

    def resume(self) -> None:
        """Show again."""


def display_for(terminal: Terminal, sheet: Sheet) -> Display:
    """The display that fits the terminal, or the pipe, and the sheet."""
    if not terminal.live:
        return Lines(terminal, [phase.statement_count for phase in sheet.phases])
    if sheet.phase_count <= MOST_BARS:
        return Bars(terminal, [phase.statement_count for phase in sheet.phases])
    return OneBar(terminal, sheet)


class Nothing:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Show nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Show nothing."""

    def show(self, update: Update) -> None:
        """Show nothing."""

    def pause(self) -> None:
        """Nothing moves by itself."""

    def resume(self) -> None:
        """As before."""


class Lines(Nothing):
    """A line a phase. One update may stand for several phases: where nothing failed, their sizes tell them apart."""

    def __init__(self, terminal: Terminal, sizes: list[int]) -> None:
        self._terminal = terminal
        self._sizes = sizes

    def show(self, update: Update) -> None:
        """Tell of phases that ended."""
        if not isinstance(update, PhaseCompleted):
            return
        depths = range(update.first_depth, update.last_depth + 1)
        if len(depths) > MOST_LINES or update.failed or update.skipped or depths.stop > len(self._sizes):
            self._terminal.line(f"  {_name(update)}: {_count(update)}")
            return
        for depth in depths:
            self._terminal.line(f"  phase {depth}: {self._sizes[depth]:,} done")


class Bars:
    """A bar a phase. Updates may leave out some that went before, so each bar follows from the total alone."""

    def __init__(self, terminal: Terminal, sizes: list[int]) -> None:
        self._progress = _progress(terminal)
        self._sizes = sizes
        self._ends = list(accumulate(sizes))
        self._tasks: list[TaskID] = []

    def __enter__(self) -> Self:
        """Draw the empty bars."""
        self._progress.start()
        for depth, size in enumerate(self._sizes):
            self._tasks.append(self._progress.add_task(f"  phase {depth}", total=size))
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bars as they are."""
        self._progress.stop()

    def pause(self) -> None:
        """Let the bars stand."""
        self._progress.stop()

    def resume(self) -> None:
        """Draw the bars again."""
        self._progress.start()

    def show(self, update: Update) -> None:
        """Fill the bars."""
        match update:
            case PhaseCompleted() if update.last_depth < len(self._ends):
                self._fill(self._ends[update.last_depth])
            case ProgressUpdate():
                self._fill(update.completed)
            case Snapshot(execution) | Finished(execution) if execution.phases_completed:
                self._fill(self._ends[min(execution.phases_completed, len(self._ends)) - 1])
            case _:
                pass

    def _fill(self, completed: int) -> None:
        for task, size, end in zip(self._tasks, self._sizes, self._ends, strict=True):
            done = min(size, max(0, completed - end + size))
            if done > self._progress.tasks[task].completed:
                self._progress.update(task, completed=done)


class OneBar:
    """One bar for a sheet of more phases than fit on a screen."""

    def __init__(self, terminal: Terminal, sheet: Sheet) -> None:
        self._progress = _progress(terminal)
        self._last = sheet.phase_count - 1
        self._total = sheet.statement_count
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        """Draw the empty bar."""
        self._progress.start()
        self._task = self._progress.add_task(f"  {plural(self._last + 1, 'phase')}", total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        self._progress.stop()

    def pause(self) -> None:
        """Let the bars stand."""
        self._progress.stop()

    def resume(self) -> None:
        """Draw the bars again."""
        self._progress.start()

    def show(self, update: Update) -> None:
        """Move the bar on."""
        match update:
            case PhaseCompleted():
                self._progress.update(self._task, description=f"  phase {update.last_depth} of {self._last}")
            case ProgressUpdate():
                self._progress.update(self._task, completed=update.completed)
            case Finished(execution) if execution.phases_completed > self._last:
                self._progress.update(self._task, completed=self._total)
            case _:
                pass


def _progress(terminal: Terminal) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        console=terminal.console,
    )


def _name(update: PhaseCompleted) -> str:
    if update.first_depth == update.last_depth:
        return f"phase {update.last_depth}"
    return f"phases {update.first_depth} to {update.last_depth}"


def _count(update: PhaseCompleted) -> str:
    counts: Mapping[str, int] = {"done": update.succeeded, "failed": update.failed, "skipped": update.skipped}
    return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count or word == "done")
