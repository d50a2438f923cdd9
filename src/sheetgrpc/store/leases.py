"""How servers that share a database keep out of each other's way, and hear of each other.

A claimed execution is its owner's for as long as the lease is renewed, by the database's clock. Hints travel at once
and may be lost: whoever listens looks for itself now and then all the same. Errors are those of `store.base`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from sheetgrpc.store.records import ExecutionRow


class Lease(msgspec.Struct, frozen=True):
    """An execution that somebody runs, and who asked for its end by way of the database, if anybody."""

    execution_id: str
    epoch: int
    cancelled_by: str = ""
    cancelled_at: int | None = None


class ProgressRow(msgspec.Struct, frozen=True):
    """What a run has told up to a sequence of its epoch; `body` is the engine's."""

    execution_id: str
    epoch: int
    last_sequence: int
    body: bytes


class Leases(Protocol):
    """The calls of one server, whose name is its replica id."""

    replica: str

    async def renew(self, executions: Sequence[str]) -> list[Lease]:
        """Renews the leases of these executions; answers all that are this server's by the database."""
        ...

    async def lapsed(self, limit: int) -> list[ExecutionRow]:
        """What runs by its state and is renewed by nobody, longest first."""
        ...

    async def evict(self, owner: str) -> None:
        """Ends the transactions of another server, where the database allows that: it may hold locks for ever."""
        ...

    async def tell(self, progress: ProgressRow) -> None:
        """Writes what a run of this server tells, beside its transaction."""
        ...

    async def told(self, places: Mapping[str, tuple[int, int]]) -> list[ProgressRow]:
        """What runs have told beyond these places, (epoch, sequence) by execution, in order."""
        ...

    async def executions(self, ids: Sequence[str]) -> list[ExecutionRow]:
        """Executions as they are stored; those that are gone are left out."""
        ...

    async def versions(self, sessions: Sequence[str]) -> dict[str, int]:
        """How far the logs of these sessions are; those that are gone are left out."""
        ...

    async def clear(self, seconds: float, limit: int) -> None:
        """Deletes at most `limit` rows of progress that are older than this and no longer of a run."""
        ...

    def hint(self, text: str) -> None:
        """Tells every other server, soon and without a promise; up to 100 bytes without a blank."""
        ...

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Calls `heard` with each hint of others, for as long as it is not cancelled. Raises Unavailable."""
        ...
