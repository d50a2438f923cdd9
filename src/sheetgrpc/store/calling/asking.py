"""What a handler's thread asks of the owner of the connection, and the columns that may be asked about. Values only."""

from collections.abc import Mapping, Sequence

import msgspec

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, Entity, KeySource, Reach, Verb
from sheetgrpc.planning.model import Cell, Key

MOST_CHANGED = 10_000
"""Rows that one update or delete of a handler may change."""


class Place(msgspec.Struct, frozen=True):
    """A table within a handler's reach, as the database has it. `order` are columns that no two rows are equal in."""

    reach: Reach
    columns: tuple[str, ...]
    entity: Entity | None
    order: tuple[str, ...]

    @property
    def key(self) -> str | None:
        """The column of the entity's key."""
        return self.entity.key.column if self.entity is not None else None

    @property
    def makes_keys(self) -> bool:
        """True where the keys of new rows are not the handler's to give."""
        return self.entity is not None and self.entity.key.source is not KeySource.ARGUMENT

    @property
    def server_made(self) -> bool:
        """True where the server makes them."""
        return self.entity is not None and self.entity.key.source is KeySource.SERVER


class Find(msgspec.Struct, frozen=True):
    """Rows whose columns equal cells; None equals NULL."""

    place: Place
    where: Mapping[str, Cell]
    columns: Sequence[str]
    limit: int


class Insert(msgspec.Struct, frozen=True):
    """A row; the answer is its key."""

    place: Place
    values: Mapping[str, Cell]


class Update(msgspec.Struct, frozen=True):
    """New values for rows; the answer is a list of `Changed`."""

    place: Place
    where: Mapping[str, Cell]
    values: Mapping[str, Cell]


class Delete(msgspec.Struct, frozen=True):
    """The answer is a list of `Changed`."""

    place: Place
    where: Mapping[str, Cell]


class End(msgspec.Struct, frozen=True):
    """A call that has asked something is over; unless it went well nothing of it may stay. It has no answer."""

    well: bool


Question = Find | Insert | Update | Delete


class Changed(msgspec.Struct, frozen=True):
    """A row that was updated or deleted: its key, what it was, whether it differs now."""

    key: Key | None
    before: dict[str, object]
    differs: bool = True


def places_of(verb: Verb, catalog: Catalog, tables: Mapping[str, Table]) -> dict[str, Place]:
    """What a verb may reach, by the names its handler uses."""
    found: dict[str, Place] = {}
    for reach in verb.reach:
        table = tables[reach.table]
        entity = catalog.entities[reach.entity] if reach.entity is not None else None
        unique = min((sorted(columns) for columns in table.unique), key=lambda names: (len(names), names), default=[])
        order = (entity.key.column,) if entity is not None else tuple(unique)
        found[reach.name] = Place(reach, tuple(table.columns), entity, order)
    return found
