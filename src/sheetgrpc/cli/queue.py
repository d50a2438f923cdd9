"""`sheetgrpc queue`, `executions` and `replay`: what waits, what failed, and the queue paused and resumed."""

from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson, first, read_word
from sheetgrpc.cli.terminal import shown_time, stdout
from sheetgrpc.client import Client, words
from sheetgrpc.client.words import QueuePause, RunState
from sheetgrpc.v1.control_service_pb2 import Breaker, Queue, QueueStats
from sheetgrpc.v1.execution_pb2 import Execution

Module = Annotated[str, Parameter(help="A module of call verbs: only what calls into it, in this server alone.")]

_MODES = {
    "RUNNING": "runs",
    "HOLD": "paused: takes in, begins nothing",
    "REJECT": "paused: takes nothing in, begins nothing",
    "DRAIN": "paused: takes nothing in, runs what waits",
}


async def stats(*, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show how the queue stands, and how many executions are in each state."""
    async with reaching(address) as client:
        found = await client.control.queue_stats()
    if as_json:
        print_document(document_of(found))
        return
    terminal = stdout()
    for label, fact in _facts(found).items():
        if fact:
            terminal.line((f"{label:<9}", "bold"), fact)
    for one in found.breakers:
        terminal.line(("module   ", "bold"), _breaker(one))
    counts = [[words.execution_state(one.state), f"{one.count:,}"] for one in found.state_counts]
    terminal.line()
    rows = [["executions", "number"], *counts, ["in all", f"{found.execution_count:,}"]]
    terminal.columns(rows, numbers=frozenset({1}))


async def pause(
    *,
    address: Address = DEFAULT_ADDRESS,
    mode: Annotated[
        QueuePause,
        Parameter(converter=read_word, help="hold begins nothing more, drain takes nothing in, reject does neither."),
    ] = "HOLD",
    module: Module = "",
    as_json: AsJson = False,
) -> None:
    """Pause the queue, for every server of the database and until it is resumed."""
    async with reaching(address) as client:
        await _tell(client, await client.control.pause_queue(mode, module=module), module, as_json=as_json)


async def resume(*, address: Address = DEFAULT_ADDRESS, module: Module = "", as_json: AsJson = False) -> None:
    """Let the queue run again."""
    async with reaching(address) as client:
        await _tell(client, await client.control.resume_queue(module=module), module, as_json=as_json)


async def executions(
    *,
    address: Address = DEFAULT_ADDRESS,
    session: Annotated[str, Parameter(help="Only those of this session: id, unique prefix or label.")] = "",
    state: Annotated[RunState | None, Parameter(converter=read_word, help="Only those in this state.")] = None,
    dead: Annotated[bool, Parameter(help="Only dead letters: what failed and nobody has replayed.")] = False,
    limit: Annotated[int, Parameter(help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions of all sessions, newest first."""
    limit = max(1, limit)
    async with reaching(address) as client:
        listed = client.executions.list(
            session=session, states=[state] if state else (), dead_letters_only=dead, page_size=min(limit, 1000)
        )
        found = await first(limit, listed)
    if as_json:
        print_document([document_of(one) for one in found])
        return
    if not found:
        stdout().line("no executions")
        return
    heading = ["execution", "session", "state", "priority", "retries", "submitted", "why"]
    stdout().columns([heading, *map(_row, found)], numbers=frozenset({3, 4}))


async def replay(
    execution: Annotated[str, Parameter(help="Its id.")],
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Confirm: data is changed from here on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit once more what an execution ran that committed nothing."""
    if not yes:
        raise Failure("a replay changes data; say --yes to confirm it", NOT_BEGUN)
    async with reaching(address) as client:
        answer = await client.executions.replay(execution, confirm=True)
    if as_json:
        print_document(document_of(answer))
    else:
        stdout().line(f"queued {answer.execution.id}; see it with: sheetgrpc watch {answer.execution.id}")


def _facts(found: QueueStats) -> dict[str, str]:
    waits = f"{shown_time(found.oldest_queued_time)}, {found.oldest_queued_age.ToTimedelta()} ago"
    by = f", by {found.queue.changed_by} at {shown_time(found.queue.change_time)}" if found.queue.changed_by else ""
    return {
        "queue": _MODES.get(words.queue_mode(found.queue.mode), "in a mode this program does not know") + by,
        "running": f"{found.running:,} of {found.max_running:,} here",
        "oldest": waits if found.HasField("oldest_queued_time") else "",
        "retries": f"{found.retry_count:,}" if found.retry_count else "",
        "deferrals": f"{found.deferral_count:,}" if found.deferral_count else "",
    }


def _breaker(one: Breaker) -> str:
    many = one.consecutive_failures
    failed = f"after {many:,} failure{'s' * (many != 1)} in a row"
    match words.breaker_state(one.state):
        case "CLOSED":
            text = f"runs, {failed}" if many else "runs"
        case "OPEN" if one.paused_by:
            text = f"paused, by {one.paused_by}"
        case "OPEN":
            text = f"paused {failed}, until {shown_time(one.next_probe_time)}"
        case "HALF_OPEN":
            text = f"paused {failed}, but for one execution"
        case _:
            text = "in a state this program does not know"
    return f"{one.module}: {text}"


async def _tell(client: Client, queue: Queue, module: str, *, as_json: bool) -> None:
    """How the queue stands now, or the module."""
    if module:
        for one in (await client.control.queue_stats()).breakers:
            if one.module == module:
                print_document(document_of(one)) if as_json else stdout().line(_breaker(one))
    elif as_json:
        print_document(document_of(queue))
    else:
        stdout().line(_MODES.get(words.queue_mode(queue.mode), "in a mode this program does not know"))


def _row(run: Execution) -> list[str]:
    return [
        run.id,
        run.session_id,
        words.execution_state(run.state),
        f"{run.priority}",
        f"{run.retry_count}",
        shown_time(run.submit_time),
        run.error.message or ("only a plan: nothing of it stays" if run.dry_run else ""),
    ]
