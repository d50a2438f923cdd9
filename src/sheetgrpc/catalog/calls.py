"""Verbs of kind call, from YAML: which function does the work, and which tables it may reach.

Only says what the catalog says: whether the module is trusted, and that there is such a function, is told at start.
"""

import re
from collections.abc import Mapping

import msgspec

from sheetgrpc.catalog.entities import check_table
from sheetgrpc.catalog.form import Form
from sheetgrpc.catalog.model import Argument, Entity, Reach

CALL_KEYS = ("handler", "reads", "writes")
_IDENT = r"[A-Za-z_][A-Za-z0-9_]*"
_HANDLER = re.compile(rf"{_IDENT}(?:\.{_IDENT})*:{_IDENT}", re.ASCII)


def read_handler(form: Form) -> str:
    """The function, "module:function"; "" where it is not said well."""
    handler = form.text("handler", required=True)
    if handler is None or _HANDLER.fullmatch(handler):
        return handler or ""
    form.problem('"handler" must be "module:function", such as "acme.rates:revalue"', "handler")
    return ""


def read_reach(form: Form, entities: Mapping[str, Entity]) -> tuple[Reach, ...]:
    """What the handler may reach, in the order of the file; what it writes it may read."""
    found: dict[str, Reach] = {}
    for key, writes in (("writes", True), ("reads", False)):
        for name in form.texts(key):
            reach = _reach(form, key, name, entities, writes=writes)
            first = found.setdefault(reach.table, reach)
            if first is not reach:
                form.problem(f'"{key}" names table "{reach.table}", which "{first.name}" names already', key)
    return tuple(found.values())


def without_columns(arguments: tuple[Argument, ...], forms: Mapping[str, Form]) -> tuple[Argument, ...]:
    """The arguments of a call: none is stored by the server."""
    for name, form in forms.items():
        if "column" in form and not form.is_null("column"):
            form.problem(f'a call stores nothing by itself: "{name}" has no column', "column")
    return tuple(msgspec.structs.replace(argument, column=None) for argument in arguments)


def _reach(form: Form, key: str, name: str, entities: Mapping[str, Entity], *, writes: bool) -> Reach:
    """An entity by its name, or a table that is no entity's."""
    entity = entities.get(name)
    if entity is not None:
        return Reach(name, entity.table, name, writes)
    owners = [one.name for one in entities.values() if one.table == name]
    if owners:
        form.problem(f'"{key}" names table "{name}", which is that of an entity; write "{owners[0]}"', key)
    check_table(form, name, key)
    return Reach(name, name, None, writes)
