"""What analysis makes of a sheet: findings, references, and a plan in columns that an executor can write as it stands.

A plan is what the worker process answers with and what is kept between ParseSheet and the submit, so it holds lists of
plain cells and integer arrays, no node a statement. Cells are storable: `str`, `int`, `bool` or None (decimals as
canonical text, dates and timestamps as ISO 8601, lists and json as JSON text).
"""

from array import array
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from sheetgrpc.catalog.model import Type
from sheetgrpc.dsl.diagnostics import Diagnostic

Key = str | int
Cell = str | int | bool | None
if TYPE_CHECKING:
    Ints = array[int]
else:
    Ints = array  # array("i"); it takes no parameter at run time in 3.11


class Reference(msgspec.Struct, frozen=True, gc=False):
    """An entity that a statement names by text. `entity_id` is the key it stands for, or None while open.

    `hint` says where the sheet itself may have what an open one means: a reference is never a row of the same sheet.
    """

    ref_id: str
    statement_index: int
    argument: str
    text: str
    entity_type: str
    entity_id: Key | None = None
    hint: str = ""


class Wanted(msgspec.Struct):
    """What analysis would like to know of the database: names by entity type, keys by entity type, symbol names."""

    references: dict[str, list[str]] = {}
    keys: dict[str, list[Key]] = {}
    symbols: list[str] = []

    def __bool__(self) -> bool:
        """True where there is anything to look up."""
        return bool(self.references or self.keys or self.symbols)


class Known(msgspec.Struct):
    """What the database answered, and what people chose."""

    references: dict[str, dict[str, Key | None]] = {}  # entity type -> text -> the key if exactly one row has that name
    keys: dict[str, set[Key]] = {}  # entity type -> the keys that rows have
    symbols: dict[str, tuple[str, Key]] = {}  # committed symbol -> (entity type, key)
    resolutions: dict[str, Key] = {}  # ref_id -> the chosen key
    complete: bool = False  # False: nothing was looked up yet, unknown names are Wanted and not errors


class Column(msgspec.Struct):
    """One table column of a group's statements, by row of the group.

    `values[r]` is the cell, unless `refs` is set and `refs[r] >= 0`: then it is the key that statement made. `trees`
    has the rows whose JSON text holds symbols: the text with `Hole`s between its pieces.
    """

    argument: str
    column: str | None  # None: selects or is checked, but is not stored
    type: Type
    values: list[Cell]
    refs: Ints | None = None
    trees: "dict[int, list[str | int]] | None" = (
        None  # pieces of JSON text, and statement indexes whose key goes between
    )
    as_text: bool = False  # an integer key given to a string argument


class Group(msgspec.Struct):
    """Statements of one verb that give the same arguments, in run order (by depth, then by place in the sheet)."""

    verb: str
    given: tuple[str, ...]  # argument names as in the catalog, in its order
    indexes: Ints
    columns: list[Column]  # one a given argument
    bindings: list[str | None] | None


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Rows `start:stop` of a group: statements of one depth, written together."""

    group: int
    start: int
    stop: int
    depth: int


class Plan(msgspec.Struct):
    """A sheet, ready to run. Arrays are by statement index unless said otherwise."""

    count: int
    phase_count: int
    groups: list[Group]
    batches: Ints  # four integers a batch: group, start, stop, depth; in run order
    depths: Ints
    group_of: Ints
    offsets: Ints  # code points of the source
    lengths: Ints
    order: Ints | None  # canonical order where it is not source order
    digest: str = ""  # of the sheet's source


class Analysis(msgspec.Struct):
    """What one pass found. `plan` is None while there are errors; with open references it is there but cannot run."""

    statement_count: int
    phase_count: int
    diagnostics: list[Diagnostic]
    references: list[Reference]
    wanted: Wanted
    plan: Plan | None
    catalog_digest: str
    offsets: Ints  # of every statement, in code points, also where there is no plan
    lengths: Ints
    syntax_error_count: int = 0

    @property
    def error_count(self) -> int:
        """Diagnostics that keep the sheet from READY."""
        return sum(d.severity == "ERROR" for d in self.diagnostics)

    @property
    def warning_count(self) -> int:
        """Diagnostics that do not."""
        return len(self.diagnostics) - self.error_count

    @property
    def unresolved_count(self) -> int:
        """References without a key."""
        return sum(r.entity_id is None for r in self.references)


class Status(IntEnum):
    """A statement's status, as stored; names are the wire's (DESIGN section 7)."""

    PENDING = 1
    PARSED = 2
    RESOLVED = 3
    SUCCESS = 4
    FAILED = 5
    SKIPPED = 6
    NOT_RUN = 7
    ROLLED_BACK = 8


class Effect(IntEnum):
    """What a statement did; 0 is nothing."""

    NONE = 0
    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    DELETED = 4
    READ = 5
    ASSERTED = 6
    CALLED = 7


class ErrorCode(StrEnum):
    """Why a statement failed or did not run (035's twelve and ours)."""

    SYNTAX_ERROR = "SYNTAX_ERROR"
    UNRESOLVED_SYMBOL = "UNRESOLVED_SYMBOL"
    AMBIGUOUS_ENTITY = "AMBIGUOUS_ENTITY"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    MISSING_REQUIRED = "MISSING_REQUIRED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DB_CONSTRAINT = "DB_CONSTRAINT"
    DB_CONNECTION = "DB_CONNECTION"
    TIMEOUT = "TIMEOUT"
    BLOCKED = "BLOCKED"
    CYCLIC_DEPENDENCY = "CYCLIC_DEPENDENCY"
    ASSERTION_FAILED = "ASSERTION_FAILED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    CANCELLED = "CANCELLED"
    PLAN_STALE = "PLAN_STALE"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    INTERNAL = "INTERNAL"
    HANDLER_FAILED = "HANDLER_FAILED"


class Emitted(msgspec.Struct, frozen=True, gc=False):
    """One row that a call changes, or says it has changed: the columns that are written, before and after.

    `entity_type` and `key` say which row it is, "" and None in a table without keys. `made` counts the rows that
    the call makes and does not give the key of, from 1; 0 for others.
    """

    table: str
    kind: int  # an Effect
    entity_type: str = ""
    key: Key | None = None
    before: dict[str, Any] = {}  # JSON values: whatever the database has there
    after: dict[str, Any] = {}
    made: int = 0


class StatementError(msgspec.Struct, frozen=True, gc=False):
    """Why one statement failed or was skipped. `detail` names a constraint or column; never SQL or exception text."""

    code: ErrorCode
    message: str
    detail: str = ""
    blocked_by: int | None = None


class HandlerFault(StatementError, frozen=True, gc=False):
    """Of a call whose function failed by itself: it did not refuse, and nothing was refused to it."""


class Image(msgspec.Struct, frozen=True, gc=False):
    """A row as it is before a statement changes it: its key, its text for people, columns as JSON values."""

    key: Key | None
    display: str
    values: dict[str, Any]  # whatever the database has there


class Results(msgspec.Struct):
    """What a run knows of each statement, by index; filled as it goes."""

    status: bytearray
    effect: bytearray
    keys: list[Key | None]
    micros: Ints
    errors: dict[int, StatementError]
    rows: dict[int, list[dict[str, Any]]]  # select: column -> JSON value
    roots: dict[int, int]  # failed or skipped statement -> the lowest failure that it is or hangs on
    failed_asserts: dict[str, list[tuple[int, int]]]  # table -> (depth, statement) of asserts that failed on it
    doomed: dict[int, StatementError]  # statements that will fail when their turn comes: a key of theirs has no row now
    emitted: dict[int, list[Emitted]]  # of calls
    dry_run: bool = False  # nothing of the run will stay
    stop: bool = False  # set from another task: whoever writes stops at the next row piece
    running: int = -1  # the statement that is being written, the first of several; -1 for none
    writes: int = 0  # counts with each such
    more_rows: dict[int, int] = {}  # statement -> the rows that it changed or removed beyond one
    images: dict[int, list[Image]] | None = None  # rows before their statement's write; None: nobody wants to know

    def note(self, index: int) -> None:
        """This statement is written now, and those that go with it."""
        self.running = index
        self.writes += 1

    @classmethod
    def fresh(cls, count: int) -> "Results":
        """All RESOLVED, nothing known."""
        return cls(
            status=bytearray([Status.RESOLVED]) * count,
            effect=bytearray(count),
            keys=[None] * count,
            micros=array("i", bytes(4 * count)),
            errors={},
            rows={},
            roots={},
            failed_asserts={},
            doomed={},
            emitted={},
        )
