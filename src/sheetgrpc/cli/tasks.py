"""`sheetgrpc tasks ...`: what roles ask of each other, listed, shown, made, carried on; and how far a session is."""

import json
from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson, first, read_word
from sheetgrpc.cli.terminal import Terminal, plural, shorten, shown_time, stdout
from sheetgrpc.client import words
from sheetgrpc.client.words import Json, TaskKind, TaskState
from sheetgrpc.v1.task_pb2 import Task
from sheetgrpc.v1.task_service_pb2 import Status

_LETTERS = 60  # of a description in a list

TaskId = Annotated[str, Parameter(help="Its id.")]
app = App(name="tasks", help="What roles ask of each other.", default_parameter=Parameter(negative=()))


@app.command(name="list")
async def list_tasks(
    *,
    address: Address = DEFAULT_ADDRESS,
    to: Annotated[str, Parameter(help="Only tasks that ask this role.")] = "",
    by: Annotated[str, Parameter(name="--from", help="Only tasks of this role's asking.")] = "",
    kind: Annotated[TaskKind | None, Parameter(converter=read_word, help="Only tasks of this kind.")] = None,
    state: Annotated[TaskState | None, Parameter(converter=read_word, help="Only tasks in this state.")] = None,
    session: Annotated[str, Parameter(help="Only tasks of this session.")] = "",
    trace: Annotated[str, Parameter(help="Only tasks of this trace.")] = "",
    limit: Annotated[int, Parameter(help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first."""
    limit = max(1, limit)
    async with reaching(address) as client:
        listed = client.tasks.list(
            kinds=[kind] if kind else (),
            states=[state] if state else (),
            from_role=by,
            to_role=to,
            session=session,
            trace_id=trace,
            page_size=min(limit, 1000),
        )
        found = await first(limit, listed)
    if as_json:
        print_document([document_of(task) for task in found])
    else:
        _show_tasks(stdout(), found, "no tasks")


@app.command
async def show(task: TaskId, /, *, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show a task and its changes."""
    _require(task, "task")
    async with reaching(address) as client:
        found = await client.tasks.get(task)
    if as_json:
        print_document(document_of(found))
        return
    terminal = stdout()
    _show_facts(terminal, _facts_of(found.task))
    terminal.line()
    for event in found.events:
        notes = f"  {event.notes}" if event.notes else ""
        state = words.task_state(event.state)
        terminal.line(f"{event.version:>5}  {shown_time(event.time)}  {state:<9}  {event.caller}{notes}")


@app.command
async def create(
    kind: Annotated[TaskKind, Parameter(converter=read_word, help="What it asks for.")],
    description: Annotated[str, Parameter(help="What it is about.")],
    /,
    *,
    by: Annotated[str, Parameter(name="--from", help="Role that asks.")],
    to: Annotated[str, Parameter(help="Role that is asked.")],
    address: Address = DEFAULT_ADDRESS,
    session: Annotated[str, Parameter(help="Session that it belongs to.")] = "",
    parent: Annotated[str, Parameter(help="Task that it is about.")] = "",
    data: Annotated[str, Parameter(help="What goes with it, as a JSON object.")] = "",
    trace: Annotated[str, Parameter(help="Trace that it belongs to.")] = "",
    key: Annotated[str, Parameter(help="Makes the task at most once, however often this is said.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a task; prints its id."""
    async with reaching(address) as client:
        made = await client.tasks.create(
            kind,
            description,
            from_role=by,
            to_role=to,
            data=_read_data(data),
            trace_id=trace,
            session=session,
            parent=parent,
            idempotency_key=key,
        )
    _tell(made, made.id, as_json=as_json)


@app.command
async def done(
    task: TaskId,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    state: Annotated[TaskState, Parameter(converter=read_word, help="State that it is to be in.")] = "COMPLETED",
    notes: Annotated[str, Parameter(help="What there is to say.")] = "",
    version: Annotated[int | None, Parameter(help="Version that it must have.")] = None,
    as_json: AsJson = False,
) -> None:
    """Complete a task, or carry it on to another state: active, failed, cancelled, approved, rejected."""
    _require(task, "task")
    async with reaching(address) as client:
        if version is None:
            now = await client.tasks.update(task, state, notes=notes)
        else:
            now = await client.tasks.update(task, state, notes=notes, expected_version=version)
    _tell(now, f"task {now.id} is {words.task_state(now.state).lower()}", as_json=as_json)


@app.command
async def status(
    session: Annotated[str, Parameter(help="Session: its id, a unique prefix of that, or a label.")] = "",
    /,
    *,
    task: Annotated[str, Parameter(help="Task, by its id, instead of a session.")] = "",
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Tell how far a session or a task is, and which tasks belong to it."""
    if bool(session) is bool(task):
        raise Failure("name a session, or a task with --task", NOT_BEGUN)
    async with reaching(address) as client:
        found = await (client.tasks.status(session=session) if session else client.tasks.status(task=task))
    if as_json:
        print_document(document_of(found))
        return
    terminal = stdout()
    _show_facts(terminal, _facts_of_status(found))
    terminal.line()
    _show_tasks(terminal, list(found.tasks), "no tasks")


def _tell(task: Task, line: str, *, as_json: bool) -> None:
    if as_json:
        print_document(document_of(task))
    else:
        stdout().line(line)


def _show_tasks(terminal: Terminal, tasks: list[Task], otherwise: str) -> None:
    if not tasks:
        terminal.line(otherwise)
        return
    rows = [
        [
            task.id,
            words.task_kind(task.kind),
            words.task_state(task.state),
            f"{task.from_role} > {task.to_role}",
            shown_time(task.create_time),
            shorten(task.description, _LETTERS),
        ]
        for task in tasks
    ]
    terminal.columns([["task", "kind", "state", "roles", "created", "about"], *rows])


def _facts_of(task: Task) -> dict[str, str]:
    document = document_of(task)
    return {
        "task": task.id,
        "about": task.description,
        "kind": words.task_kind(task.kind),
        "state": f"{words.task_state(task.state)}, version {task.version}",
        "roles": f"{task.from_role} > {task.to_role}",
        "next": ", ".join(map(words.task_state, task.next_states)),
        "session": task.session_id,
        "parent": task.parent_id,
        "trace": task.trace_id,
        "key": task.idempotency_key,
        "data": json.dumps(document["data"], ensure_ascii=False) if task.HasField("data") else "",
        "notes": task.notes,
        "by": task.created_by,
        "created": shown_time(task.create_time),
        "updated": shown_time(task.update_time),
        "ended": shown_time(task.end_time) if task.HasField("end_time") else "",
    }


def _facts_of_status(status: Status) -> dict[str, str]:
    state = words.session_state(status.session_state) if status.session_state else words.task_state(status.task_state)
    counts = [f"{one.count:,} {words.task_state(one.state).lower()}" for one in status.task_counts]
    count = sum(one.count for one in status.task_counts)
    return {
        "session": status.session_id,
        "task": status.task_id,
        "role": status.role,
        "state": f"{state}: {status.legend}",
        "metadata": status.metadata + ("..." if status.metadata_truncated else ""),
        "trace": status.trace_id,
        "created": shown_time(status.create_time),
        "updated": shown_time(status.update_time),
        "tasks": f"{plural(count, 'task')}: {', '.join(counts)}" if counts else "",
    }


def _show_facts(terminal: Terminal, facts: Mapping[str, str]) -> None:
    for label, fact in facts.items():
        if fact:
            terminal.line((f"{label:<9}", "bold"), fact)


def _read_data(text: str) -> Mapping[str, Json] | None:
    if not text:
        return None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Failure(f"--data is no JSON: {error}", NOT_BEGUN) from error
    if not isinstance(data, dict):
        raise Failure("--data must be a JSON object", NOT_BEGUN)
    return data


def _require(text: str, name: str) -> None:
    """An empty id is nobody's, so no server is asked."""
    if not text.strip():
        raise Failure(f"the {name} must not be empty; `sheetgrpc tasks list` tells which there are", NOT_BEGUN)
