"""What a sweeper asks of a database: who is due, signs of life, and the deletion of what nobody needs, in pieces.

Every call that writes is one short transaction of its own; none of them decides how long anything is kept. Errors are
those of `store.base`. Times are microseconds since 1970 UTC.
"""

from collections.abc import Mapping
from typing import Protocol

from sheetgrpc.session.model import Session


class Upkeep(Protocol):
    """The calls about a store's age."""

    async def leases_due(self, now: int, since: int, limit: int) -> list[str]:
        """Live sessions whose lease has run out at `now`, soonest first, if it is no longer than from `since` to now.

        Those that execute are none of them.
        """
        ...

    async def retentions_due(self, before: int, limit: int) -> list[str]:
        """Live sessions without a lease and without a sign of life after `before`; not those that execute."""
        ...

    async def tombstones_due(self, before: int, limit: int) -> list[str]:
        """Sessions that ended at `before` or earlier, oldest first."""
        ...

    async def long_logs(self, events: int, after: str, limit: int) -> list[str]:
        """Live sessions of which more than `events` (100 or more) events are kept, by id, beyond the id `after`."""
        ...

    async def touch(self, times: Mapping[str, int], now: int) -> None:
        """Signs of life of these sessions, as far as they are alive; later ones that are there already stay."""
        ...

    async def settle_clock(self, now: int, beyond: int, limit: int) -> int:
        """Live sessions with a sign of life after `beyond` have it `now` instead; answers how many there were."""
        ...

    async def trim(self, session: Session, base: Session) -> bool:
        """Deletes the events up to the version of `base`, which is what they fold to, from then on kept instead.

        Nothing happens, and False is answered, if the session is no longer at the version it was read at, or over.
        """
        ...

    async def purge(self, session_id: str, before: int) -> bool:
        """Makes the session unknown, with its labels and executions; False if it did not end at `before` or earlier.

        What it leaves is for `clear`.
        """
        ...

    async def clear(self, limit: int) -> int:
        """Deletes about `limit` rows of what purged sessions left behind; 0 if nothing is left."""
        ...

    async def drop_tasks(self, before: int, limit: int) -> int:
        """Deletes at most `limit` tasks unchanged since `before` that have ended or only notify; answers how many."""
        ...

    async def drop_replies(self, now: int, limit: int) -> int:
        """Deletes at most `limit` stored replies that have expired at `now`, never another; answers how many."""
        ...
