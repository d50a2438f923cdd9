"""What a catalog says, once it has been read and found sound: entity types, verbs, arguments (DESIGN section 5).

Values only. Reading YAML and checking it is `loading.py`; holding it against a live database is `database.py`.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

Scalar = str | int | Decimal | bool | None


class KeyType(StrEnum):
    """The form of an entity's key."""

    UUID = "uuid"
    INTEGER = "integer"
    STRING = "string"


class KeySource(StrEnum):
    """Who makes the key of a new row."""

    SERVER = "server"
    DATABASE = "database"
    ARGUMENT = "argument"


class Type(StrEnum):
    """The type of an argument."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    UUID = "uuid"
    ENUM = "enum"
    ENTITY = "entity"
    JSON = "json"
    LIST = "list"


class VerbKind(StrEnum):
    """What a verb's statement does (the table of kinds in DESIGN section 5)."""

    CREATE = "create"
    ENSURE = "ensure"
    LINK = "link"
    UPDATE = "update"
    DELETE = "delete"
    UNLINK = "unlink"
    SELECT = "select"
    ASSERT = "assert"
    CALL = "call"


class Key(msgspec.Struct, frozen=True):
    """The key column of an entity's table."""

    column: str
    type: KeyType = KeyType.UUID
    source: KeySource = KeySource.SERVER


class Entity(msgspec.Struct, frozen=True):
    """An entity type: its table, key, and the columns people know it by."""

    name: str
    table: str
    key: Key
    display: str | None = None
    search: tuple[str, ...] = ()
    natural_key: tuple[str, ...] = ()  # columns
    parent: str | None = None


class RequiredWhen(msgspec.Struct, frozen=True):
    """`required_when: {argument: a, in: [..]}`: required where argument `a` has one of these values."""

    argument: str
    values: tuple[Scalar, ...]


class Argument(msgspec.Struct, frozen=True):
    """One argument of a verb. `column` is None where it is not stored."""

    name: str
    type: Type
    column: str | None
    required: bool = False
    required_when: RequiredWhen | None = None
    default: Scalar = None
    has_default: bool = False
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # enum
    entity: str | None = None  # entity, or list of entity
    of: Type | None = None  # list
    min: int | Decimal | None = None
    max: int | Decimal | None = None
    min_length: int | None = None  # code points; list: items
    max_length: int | None = None
    pattern: str | None = None  # matched against the whole value
    description: str = ""


class Expect(msgspec.Struct, frozen=True):
    """What an assert wants: exactly one of the three forms is set."""

    rows: int | None = None
    exists: bool | None = None
    column: str | None = None
    value: Scalar = None  # with `column`: every selected row has it there, and there is at least one


class Reach(msgspec.Struct, frozen=True):
    """A table that a call's handler may read, and perhaps write; `name` is what the catalog and the handler call it."""

    name: str
    table: str
    entity: str | None = None
    writes: bool = False


class Verb(msgspec.Struct, frozen=True):
    """One verb. `table` is set but for calls that bind nothing; `entity` where the table has a bindable key."""

    name: str
    kind: VerbKind
    table: str
    arguments: tuple[Argument, ...]
    entity: str | None = None
    description: str = ""
    natural_key: tuple[
        str, ...
    ] = ()  # columns that identify a row for ensure and link (the entity's, or the verb's own)
    by: tuple[str, ...] = ()  # argument names
    columns: tuple[str, ...] = ()  # select
    limit: int | None = None  # select
    expect: Expect | None = None  # assert
    missing_ok: bool = False
    deprecated: bool = False
    replaced_by: str | None = None
    handler: str = ""  # call: "module:function"
    reach: tuple[Reach, ...] = ()  # call

    @property
    def binds(self) -> bool:
        """True where `:as` is legal."""
        return self.entity is not None and self.kind in _BINDING

    @property
    def writes(self) -> bool:
        """True where a statement may change its table."""
        return self.kind not in (VerbKind.SELECT, VerbKind.ASSERT, VerbKind.CALL)

    @property
    def written(self) -> tuple[str, ...]:
        """The tables that a statement may change."""
        return (self.table,) if self.writes else tuple(one.table for one in self.reach if one.writes)

    @property
    def touched(self) -> tuple[str, ...]:
        """The tables that a statement may read or change."""
        return tuple(one.table for one in self.reach) if self.kind is VerbKind.CALL else (self.table,)


_BINDING = frozenset({VerbKind.CREATE, VerbKind.ENSURE, VerbKind.SELECT, VerbKind.CALL})


class Catalog(msgspec.Struct, frozen=True):
    """A sound catalog. `digest` is the SHA-256 of the YAML text, lower-case hex."""

    entities: Mapping[str, Entity]
    verbs: Mapping[str, Verb]
    digest: str
    source: str
    version: int = 1

    @property
    def tables(self) -> frozenset[str]:
        """Every table that it names."""
        found = {table for verb in self.verbs.values() for table in verb.touched}
        return frozenset(found | {entity.table for entity in self.entities.values()})
