"""`sheetgrpc cancel`: stops an execution, whoever started it."""

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.connecting import PATIENCE, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.failure import DONE, FAILED
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson
from sheetgrpc.cli.reporting import SAID
from sheetgrpc.cli.terminal import stdout
from sheetgrpc.client import words

_ANSWERS = {
    "CANCELLED_BEFORE_START": "cancelled before it began: nothing was changed",
    "CANCEL_REQUESTED": "asked to stop: nothing of it will be there",
    "ALREADY_CANCELLING": "it is being cancelled already",
    "TOO_LATE_COMMITTING": "too late: it is being committed",
    "ALREADY_FINISHED": "it had ended already",
}
_STOPPED = frozenset({"CANCELLING", "CANCELLED"})


async def cancel(
    execution: Annotated[str, Parameter(help="Its id.")],
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    wait: Annotated[bool, Parameter(help="Wait for its end, and tell it.")] = False,
    as_json: AsJson = False,
) -> int:
    """Cancel an execution; exits 0 only if it is cancelled, or without --wait is going to be."""
    async with reaching(address) as client:
        answer = await client.executions.cancel(execution, wait=timedelta(seconds=PATIENCE) if wait else None)
    state = words.execution_state(answer.execution.state)
    if as_json:
        print_document(document_of(answer))
    else:
        outcome = words.cancel_outcome(answer.outcome)
        terminal = stdout()
        terminal.line(_ANSWERS.get(outcome, outcome.lower()))
        if outcome != "CANCELLED_BEFORE_START" and state in words.ENDED:
            terminal.line(SAID.get(state, state.lower()))
    return DONE if state in _STOPPED else FAILED
