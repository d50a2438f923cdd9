"""`sheetgrpc tasks ...` against a real server: what people read, and what they are told when it does not work."""

import json
import re

import pytest
from tests.cli.conftest import run


def create(address: str, *more: object, kind: str = "approval") -> str:
    """The id of a new task."""
    ended = run("tasks", "create", kind, "May we?", "--from", "loader", "--to", "finance", *more, "--address", address)
    assert (ended.code, ended.err) == (0, "")
    return ended.raw.strip()


def test_a_task_is_made_once_under_a_key_and_found_in_its_inbox(address: str) -> None:
    """T1."""
    task = create(address, "--key", "cli-1", "--data", '{"rows": 3}', "--trace", "abc")
    assert create(address, "--key", "cli-1", "--data", '{"rows": 3}', "--trace", "abc") == task
    listed = run("tasks", "list", "--trace", "abc", "--state", "pending", "--kind", "approval", "--address", address)
    heading, line = [re.split(r" {2,}", row) for row in listed.out.splitlines()]
    assert heading == ["task", "kind", "state", "roles", "created", "about"]
    assert (*line[:4], line[5]) == ("<id>", "APPROVAL", "PENDING", "loader > finance", "May we?")
    nobody = run("tasks", "list", "--to", "nobody", "--address", address)
    assert (nobody.code, nobody.out) == (0, "no tasks\n")
    found = json.loads(run("tasks", "list", "--trace", "abc", "--json", "--address", address).raw)
    assert [one["id"] for one in found] == [task]


def test_a_task_is_decided_and_shown_with_its_history(address: str) -> None:
    """P1, U1."""
    task = create(address)
    wrong = run("tasks", "done", task, "--address", address)
    assert wrong.code == 1
    assert "an approval becomes CANCELLED or APPROVED or REJECTED, not COMPLETED [ACTION_NOT_ALLOWED]" in wrong.err
    late = run("tasks", "done", task, "--state", "approved", "--version", "7", "--address", address)
    assert "the task is at version 1, not 7" in late.err
    done = run("tasks", "done", task, "--state", "approved", "--notes", "go on", "--version", "1", "--address", address)
    assert (done.code, done.out) == (0, "task <id> is approved\n")
    shown = run("tasks", "show", task, "--address", address).out
    assert "state    APPROVED, version 2\n" in shown
    assert re.findall(r"^ +(\d)  .* UTC  (\w+) +anonymous(.*)$", shown, re.MULTILINE) == [
        ("1", "PENDING", ""),
        ("2", "APPROVED", "  go on"),
    ]


def test_the_status_tells_how_far_a_session_or_a_task_is(address: str) -> None:
    """C1."""
    task = create(address, kind="routing")
    create(address, "--parent", task)
    status = run("tasks", "status", "--task", task, "--address", address)
    assert status.code == 0
    assert "state    PENDING: nobody has acted on it\n" in status.out
    assert "tasks    2 tasks: 2 pending\n" in status.out
    assert status.out.count("<id>") == 3
    document = json.loads(run("tasks", "status", "--task", task, "--json", "--address", address).raw)
    assert document["task_id"] == task


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", ""), 2, "the task must not be empty; `sheetgrpc tasks list` tells which there are"),
        (("done", " "), 2, "the task must not be empty; `sheetgrpc tasks list` tells which there are"),
        (("status",), 2, "name a session, or a task with --task"),
        (("status", "a", "--task", "b"), 2, "name a session, or a task with --task"),
        (("status", "nobody's"), 1, 'there is no session "nobody\'s" [SESSION_NOT_FOUND]'),
        (("show", "nope"), 1, 'there is no task "nope" [TASK_NOT_FOUND]'),
        (("create", "approval", "x", "--from", "a", "--to", "b", "--data", "[1]"), 2, "--data must be a JSON object"),
        (("create", "approval", "x", "--from", "a", "--to", "b", "--data", "{"), 2, "--data is no JSON: "),
    ],
)
def test_what_does_not_work_is_told_apart(arguments: tuple[str, ...], code: int, said: str, address: str) -> None:
    """C1: an empty id is answered here, what is not there by the server; each in a line, never with a traceback."""
    ended = run("tasks", *arguments, "--address", address)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"error: {said}")
    assert len(ended.err.splitlines()) == 1


def test_a_server_that_is_not_there_is_told_as_that() -> None:
    """C1: connection refused."""
    ended = run("tasks", "status", "x", "--address", "127.0.0.1:1")
    assert ended.code == 2
    assert "no server at 127.0.0.1:1: connection refused" in ended.err
