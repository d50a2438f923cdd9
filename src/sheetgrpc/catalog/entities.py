"""Entity types, from YAML: a table, its key, the columns people know its rows by."""

from collections.abc import Iterable, Mapping

from sheetgrpc.catalog.form import IDENT, Form, suggest
from sheetgrpc.catalog.model import Entity, Key, KeySource, KeyType

ENTITY_KEYS = ("table", "key", "display", "search", "natural_key", "parent")
KEY_KEYS = ("column", "type", "from")
_OURS = ("sheetgrpc_", "sheetgrpc.", "sqlite_")  # prefixes of tables that a catalog may not name


def read_entities(forms: Mapping[str, Form]) -> dict[str, Entity]:
    """The entity types that `forms` describe; broken ones too, as far as they could be read."""
    entities = {name: _read(name, form, forms) for name, form in forms.items()}
    _check_parents(entities, forms)
    _check_shared_tables(entities, forms)
    return entities


def read_table(form: Form) -> str | None:
    """The table that `form` names, refused where it is the server's or the database's own."""
    table = form.text("table")
    if table is not None:
        check_table(form, table, "table")
    return table


def check_table(form: Form, table: str, key: str) -> None:
    """Notes a table, named at `key`, that is the server's or the database's own."""
    if table.casefold().startswith(_OURS):
        form.problem(f'table "{table}" is not for catalogs: its prefix is reserved', key)


def _read(name: str, form: Form, known: Iterable[str]) -> Entity:
    form.only(ENTITY_KEYS)
    if not IDENT.fullmatch(name) or name.startswith("__"):
        form.problem('an entity needs a name that can be a symbol: letters, digits, "-" and "_", no "__" first')
    if "table" not in form:
        form.problem('"table" is missing')
    parent = form.text("parent")
    if parent is not None and parent not in known:
        form.problem(f'unknown entity "{parent}"{suggest(parent, known, offer=True)}', "parent")
    return Entity(
        name=name,
        table=read_table(form) or "",
        key=_key(form),
        display=form.text("display"),
        search=form.texts("search"),
        natural_key=form.texts("natural_key"),
        parent=parent,
    )


def _key(form: Form) -> Key:
    inner = form.form("key", "key") if form.is_mapping("key") else None
    if inner is None:
        return Key(column=form.text("key", required=True) or "")
    inner.only(KEY_KEYS)
    kind = inner.choice("type", KeyType, "key type") or KeyType.UUID
    source = inner.choice("from", KeySource, "key source") or KeySource.SERVER
    if source is KeySource.SERVER and kind is not KeyType.UUID:
        inner.problem(f'the server makes uuid keys only; for type {kind} write "from: database" or "from: argument"')
    return Key(column=inner.text("column", required=True) or "", type=kind, source=source)


def _check_parents(entities: Mapping[str, Entity], forms: Mapping[str, Form]) -> None:
    for name, entity in entities.items():
        path, current = [name], entity.parent
        while current is not None and current in entities and current not in path:
            path.append(current)
            current = entities[current].parent
        if current == name:
            cycle = " -> ".join([*path, name])
            forms[name].problem(f"an entity cannot be its own parent ({cycle}): no row could be the first", "parent")


def _check_shared_tables(entities: Mapping[str, Entity], forms: Mapping[str, Form]) -> None:
    first: dict[str, Entity] = {}
    for name, entity in entities.items():
        other = first.setdefault(entity.table, entity)
        if entity.table and entity.key.column and other.key.column and entity.key != other.key:
            forms[name].problem(f'table "{entity.table}" has another key in entity "{other.name}"', "key")
