"""The command line `sheetgrpc`: which commands there are, and how what they raise becomes an exit code.

Commands are imported when they are called, so that `--help` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from sheetgrpc.cli.failure import DONE, FAILED, INTERRUPTED, NOT_BEGUN, Failure
from sheetgrpc.cli.options import STDIN
from sheetgrpc.cli.terminal import prepare_streams, stderr

_EXIT_CODES = """\
Exit codes: 0 done (of apply and watch: everything was committed); 1 not done: errors in the sheet, not confirmed, \
refused, failed; 2 not begun, or lost on the way: wrong arguments, unreadable file, no server; 130 stopped by Ctrl-C."""

app = App(
    name="sheetgrpc",
    help="Bulk data changes that must not go wrong: planned in phases, confirmed, applied in one transaction.",
    help_epilogue=_EXIT_CODES,
    version=lambda: version("sheetgrpc"),
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for _name, _where, _help in (
    ("serve", "serve:serve", "Run a server."),
    ("demo", "demo:demo", "Load real fund data through a server on a temporary database."),
    ("apply", "apply:apply", "Apply a sheet: analyse, resolve, confirm, run."),
    ("check", "check:check", "Check a sheet; nothing is kept or changed."),
    ("sessions", "sessions:sessions", "List sessions."),
    ("show", "sessions:show", "Show a session."),
    ("events", "events:events", "Print the events of a session, or follow them."),
    ("label", "events:label", "Give a session a label to find it by."),
    ("fork", "forking:fork", "Make a session that begins with what another has."),
    ("undo", "forking:undo", "Take the last step of a session back."),
    ("redo", "forking:redo", "Take the last undo of a session back."),
    ("resume", "resume:resume", "Show the end of a session's log, to go on with it."),
    ("record", "resume:record", "Record lines of a terminal in a session's log."),
    ("renew", "events:renew", "Give a session its time to live again."),
    ("cancel", "cancel:cancel", "Cancel an execution."),
    ("executions", "queue:executions", "List executions of all sessions."),
    ("replay", "queue:replay", "Submit once more what an execution ran that committed nothing."),
    ("watch", "watch:watch", "Watch an execution to its end."),
    ("snapshot", "snapshots:snapshot", "Write a database to a file, also while a server runs on it."),
    ("restore", "snapshots:restore", "Make a new database of a snapshot."),
):
    app.command(f"sheetgrpc.cli.{_where}", name=_name, help=_help)

_queue = App(name="queue", help="Show, pause and resume the queue.")
_queue.command("sheetgrpc.cli.queue:stats", name="stats", help="Show the queue in figures.")
_queue.command("sheetgrpc.cli.queue:pause", name="pause", help="Pause the queue.")
_queue.command("sheetgrpc.cli.queue:resume", name="resume", help="Let the queue run again.")
app.command(_queue)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` are those of the process unless given."""
    prepare_streams()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what grpc has to say comes as errors too
    words = [STDIN if word == "-" else word for word in (sys.argv[1:] if arguments is None else arguments)]
    try:
        code = app(words, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        return _complain(f"{error}\ntry: sheetgrpc --help", NOT_BEGUN)
    except Failure as failure:
        return _complain(failure.message, failure.code)
    except OSError as error:  # what was to be printed cannot be: files and servers have failures of their own
        return _complain(f"cannot go on: {error.strerror or error}", FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _complain(message: str, code: int) -> int:
    first, *more = message.splitlines() or [""]
    terminal = stderr()
    terminal.line(("error: ", "bold red"), first)
    for line in more:
        terminal.line(line)
    return code
