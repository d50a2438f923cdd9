"""Resume tokens: an opaque place in a run, the same on every server that shares the database."""

import base64
import binascii

_QUEUED = 0  # the epoch before the first: what is told in it stands before all that follows


def make_token(execution_id: str, epoch: int, sequence: int) -> str:
    """An opaque place in a run."""
    return base64.urlsafe_b64encode(f"1 {execution_id} {epoch} {sequence}".encode()).decode()


def read_token(token: str, execution_id: str, epoch: int) -> int | None:
    """The sequence that a token stands for, if it is of this run of this execution; else None, never an error."""
    try:
        version, name, of_epoch, sequence = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
        if (version, name) == ("1", execution_id) and int(of_epoch) in (_QUEUED, epoch):
            return int(sequence)
    except (ValueError, binascii.Error):
        return None
    return None
