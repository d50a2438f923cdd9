"""What the handlers of calls did to rows, as effects beside those of other statements. Pure; see `effects.py`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.planning.model import Effect, Emitted, Key, Results

CHANGES = frozenset({int(Effect.CREATED), int(Effect.UPDATED), int(Effect.DELETED)})


def name_made(results: Results) -> Iterator[tuple[tuple[str, Key], str]]:
    """(entity type, key) of every row that a call made the key of, and what stands for it: `#7`, then `#7.2`."""
    for index, emitted in results.emitted.items():
        for one in emitted:
            if one.made and one.key is not None:
                yield (one.entity_type, one.key), f"#{index}" if one.made == 1 else f"#{index}.{one.made}"


def changes(results: Results) -> Iterator[tuple[int, Emitted]]:
    """Every row that a call created, changed or removed, with its statement."""
    for index, emitted in sorted(results.emitted.items()):
        for one in emitted:
            if one.kind in CHANGES:
                yield index, one


def count_changes(catalog: Catalog, results: Results, index: int) -> Iterator[str]:
    """The table of each row that a call changed in this database; of what it tells of elsewhere none."""
    return (one.table for one in results.emitted.get(index, ()) if one.kind in CHANGES and one.table in catalog.tables)


def display_of(catalog: Catalog, one: Emitted) -> str:
    """The text of its row for people, as far as it is known."""
    entity = catalog.entities.get(one.entity_type)
    if entity is None or entity.display is None:
        return ""
    value = one.before.get(entity.display, one.after.get(entity.display))
    return "" if value is None else str(value)


def without_key(
    catalog: Catalog,
    one: Emitted,
    values: Mapping[str, Any],  # whatever the database has there
    normal: Callable[[str, object], object],
) -> dict[str, Any]:
    """Columns of its row but that of the key, which stands beside them."""
    entity = catalog.entities.get(one.entity_type)
    key = entity.key.column if entity is not None else None
    return {name: normal(name, value) for name, value in values.items() if name != key}
