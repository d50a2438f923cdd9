"""What the author of a `call` verb's function works with (docs/catalog.md, docs/trust.md).

The only part of the service that a handler needs to import. Knows no other part of it.

    from sheetgrpc.handler import Call, Refused

    def revalue(call: Call) -> str | None:
        fund = call.find("fund", {"fund_id": call.arguments["fund"]})[0]
        if fund["closed"]:
            raise Refused("the fund is closed")
        call.update("fund", {"fund_id": fund["fund_id"]}, {"value": call.arguments["value"]})

A handler takes one argument, the call. It may be `async`. It answers the key that `:as` binds where its verb says
`entity`, else None. All its methods are plain calls, also in an async handler: it runs in a thread of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

Key = str | int
Value = str | int | Decimal | bool | date | UUID | None | Sequence[Any] | Mapping[str, Any]
"""What may be stored or compared with; a datetime is a date too, lists and mappings are kept as JSON."""
Row = dict[str, Any]
"""A row as a select's result has it: column to JSON value. A decimal may be text, a date is."""


class Refused(Exception):  # reads as what it is
    """The statement cannot be done, for a reason that whoever sent the sheet may read: HANDLER_FAILED.

    The text of any other exception stays in the server's log.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        """`message` in plain words; `detail` the variable part, such as a name. Both are cut at 500 characters."""
        super().__init__(message)
        self.message = message
        self.detail = detail


class Cancelled(BaseException):
    """The run is over: it was cancelled, took too long, or its server stops. Whatever the handler does is discarded.

    No Exception, so that `except Exception` lets it pass.
    """


class Call(Protocol):
    """One statement of a `call` verb, within the transaction of its run.

    All methods raise Cancelled once the run is over. Where the database refuses a change the method raises Refused, and
    the statement fails whether the handler catches that or not. What the catalog does not let the verb reach, and what
    is asked for wrongly, raises LookupError or ValueError.
    """

    @property
    def verb(self) -> str:
        """Name of the verb."""
        ...

    @property
    def index(self) -> int:
        """Index of the statement in its sheet."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Every argument of the verb by its name in the catalog, defaults filled in; None where none is given.

        Decimals are Decimal, dates date, timestamps datetime in UTC, entities their keys, json and lists what JSON is
        in Python; everything else is str, int or bool.
        """
        ...

    @property
    def dry_run(self) -> bool:
        """True in a plan: nothing of the transaction will stay, so nothing outside of it may be changed either."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once the run is over; a handler that works for long looks at it, or calls `check`."""
        ...

    def check(self) -> None:
        """Raises Cancelled once the run is over."""
        ...

    def find(
        self, name: str, where: Mapping[str, Value], columns: Sequence[str] | None = None, limit: int = 100
    ) -> list[Row]:
        """The rows of an entity or table that the verb reads whose columns equal these values, in the order of keys.

        None equals NULL. `columns` are all unless said; `limit` is at most 1,000.
        """
        ...

    def insert(self, name: str, values: Mapping[str, Value]) -> Key | None:
        """Inserts a row and answers its key, None where the table is no entity's. The server makes keys of its own."""
        ...

    def update(self, name: str, where: Mapping[str, Value], values: Mapping[str, Value]) -> int:
        """Sets columns of the rows that equal `where`, which is not empty; answers how many there are, up to 10,000."""
        ...

    def delete(self, name: str, where: Mapping[str, Value]) -> int:
        """Deletes the rows that equal `where`, which is not empty; answers how many there were, up to 10,000."""
        ...

    def emit(
        self, table: str, kind: str, key: Key | None = None, before: Row | None = None, after: Row | None = None
    ) -> None:
        """Says of a change that is made elsewhere: `kind` is CREATED, UPDATED or DELETED.

        It is among the effects of a plan, under the table's name, and what another plan is compared with. What the
        methods above change says so by itself.
        """
        ...
