"""Phases before an execution, and what came of it after: counts, tables, the statements that failed."""

from collections import Counter

from sheetgrpc.cli.drawing import Source, draw
from sheetgrpc.cli.terminal import Part, Terminal, plural, shorten
from sheetgrpc.client import Client, words
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.sheet_pb2 import Phase, Sheet
from sheetgrpc.v1.statement_result_pb2 import StatementResult

MOST_PHASES = 20
MOST_SYMBOLS = 3
MOST_LETTERS = 18  # of a symbol
TOLD_SYMBOLS = 1000  # where the server stops
MOST_FAILURES = 20
GOOD, BAD = "bold green", "bold red"
SAID = {
    "SUCCEEDED": "committed",
    "PARTIAL": "committed in part",
    "ROLLED_BACK": "rolled back: nothing was changed",
    "FAILED": "failed: nothing was changed",
    "CANCELLED": "cancelled: nothing was changed",
    "TIMED_OUT": "out of time: nothing was changed",
    "INTERRUPTED": "interrupted with its server: nothing was changed",
}


def show_phases(terminal: Terminal, sheet: Sheet) -> None:
    """Print what runs after what, the first few phases of many."""
    rows = [["phase", "statements", "binds"], *map(_phase_row, sheet.phases[:MOST_PHASES])]
    terminal.columns(rows, numbers=frozenset({0, 1}), indent=2)
    if sheet.phase_count > MOST_PHASES:
        terminal.line(f"  and {plural(sheet.phase_count - MOST_PHASES, 'more phase')}")


def show_outcome(terminal: Terminal, execution: Execution) -> None:
    """Print how an execution ended, and the rows it committed."""
    state = words.execution_state(execution.state)
    took = execution.end_time.ToNanoseconds() - execution.start_time.ToNanoseconds()
    told = "the plan fails: nothing was changed" if execution.dry_run else SAID.get(state, state.lower())
    said: list[Part] = [(told, GOOD if state == "SUCCEEDED" else BAD)]
    said.append(f", {plural(execution.statements_total, 'statement')}")
    if execution.HasField("start_time") and execution.HasField("end_time"):
        said.append(f" in {took / 1e9:.2f} s")
    terminal.line(*said)
    if execution.tables:
        rows = [["table", "created", "updated", "unchanged", "deleted"]]
        rows += [
            [one.table, *(f"{count:,}" for count in (one.created, one.updated, one.unchanged, one.deleted))]
            for one in execution.tables
        ]
        terminal.columns(rows, numbers=frozenset({1, 2, 3, 4}), indent=2)


async def show_failures(terminal: Terminal, client: Client, execution: Execution, source: Source | None) -> None:
    """Draw the statements that failed and count what they kept from running.

    Without `source` each statement is fetched to draw.
    """
    if not execution.HasField("error"):
        return
    failed, blocked = await _read_failures(client, execution.id)
    terminal.line()
    for result in failed[:MOST_FAILURES]:
        shown = source or await _fetch(client, execution.sheet_id, result)
        draw(
            terminal,
            shown,
            result.error.span,
            heading=("error", words.error_code(result.error.code), result.error.message),
            notes=_notes(result, blocked[result.index]),
        )
    if len(failed) > MOST_FAILURES:
        terminal.line(f"and {plural(len(failed) - MOST_FAILURES, 'failed statement')} more")
    if not failed:
        code = words.error_code(execution.error.code)
        terminal.line((f"error[{code}]", BAD), (f": {execution.error.message}", "bold"))
    terminal.line(", ".join(_counts(execution)))


def _phase_row(phase: Phase) -> list[str]:
    binds = [f"@{shorten(name, MOST_LETTERS)}" for name in phase.produces[:MOST_SYMBOLS]]
    untold = len(phase.produces) - MOST_SYMBOLS
    if untold > 0:
        binds.append("and more" if len(phase.produces) == TOLD_SYMBOLS else f"and {untold:,} more")
    return [str(phase.depth), f"{phase.statement_count:,}", " ".join(binds)]


async def _read_failures(client: Client, execution: str) -> tuple[list[StatementResult], Counter[int]]:
    failed: list[StatementResult] = []
    blocked: Counter[int] = Counter()
    async for result in client.executions.results(execution, statuses=["FAILED", "SKIPPED"]):
        if result.error.HasField("blocked_by"):
            blocked[result.error.blocked_by] += 1
        elif words.statement_status(result.status) == "FAILED":
            failed.append(result)
    return failed, blocked


async def _fetch(client: Client, sheet_id: str, result: StatementResult) -> Source:
    name = f"sheet {sheet_id}"
    async for statement in client.sheets.statements(sheet_id=sheet_id, depth=result.depth):
        if statement.index == result.index:
            return Source.of_statement(name, statement)
    return Source(name, b"", offset=-1)


def _notes(result: StatementResult, blocked: int) -> list[tuple[str, str]]:
    notes = [("statement", f"{result.index}, in phase {result.depth}")]
    if result.error.detail:
        notes.append(("detail", result.error.detail))
    if blocked:
        notes.append(("blocked", f"{plural(blocked, 'statement')} depending on it"))
    return notes


def _counts(execution: Execution) -> list[str]:
    return [
        f"{one.count:,} {words.statement_status(one.status).lower().replace('_', ' ')}"
        for one in execution.status_counts
    ]
