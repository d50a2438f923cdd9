"""How a command ends: its exit codes, and the one exception that ends it early."""

DONE = 0
"""Done; of `apply`: everything was committed."""
FAILED = 1
"""Not done: the sheet has errors, was not confirmed, was refused, failed; or the server did not start."""
NOT_BEGUN = 2
"""Not begun: wrong arguments, a file that cannot be read, a server that cannot be reached (or was lost)."""
CHANGES = 3
"""Of `plan --detailed-exitcode`: there is a plan, and something would change."""
INTERRUPTED = 130
"""Stopped by Ctrl-C."""


class Failure(Exception):
    """The end of a command: its exit code and a message for people, which may have several lines."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
