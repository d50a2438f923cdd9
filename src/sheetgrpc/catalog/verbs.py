"""One verb, from YAML: its kind, its table, its keys; the rules of the kind follow in `rules.py`."""

import re
from collections.abc import Mapping

from sheetgrpc.catalog.arguments import read_arguments
from sheetgrpc.catalog.calls import CALL_KEYS, read_handler, read_reach, without_columns
from sheetgrpc.catalog.entities import read_table
from sheetgrpc.catalog.form import Form, suggest
from sheetgrpc.catalog.model import Argument, Entity, Expect, KeySource, Verb, VerbKind
from sheetgrpc.catalog.rules import INSERTS, Draft, check_rules

DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000  # rows that a select reads into its result
_COMMON = ("description", "kind", "entity", "table", "arguments", "deprecated", "replaced_by")
_KEYS_OF: Mapping[VerbKind, tuple[str, ...]] = {
    VerbKind.CREATE: ("natural_key",),
    VerbKind.ENSURE: ("natural_key",),
    VerbKind.LINK: ("natural_key",),
    VerbKind.UPDATE: ("by", "missing"),
    VerbKind.DELETE: ("by", "missing"),
    VerbKind.UNLINK: ("by", "missing"),
    VerbKind.SELECT: ("by", "columns", "limit"),
    VerbKind.ASSERT: ("by", "expect"),
    VerbKind.CALL: CALL_KEYS,
}
VERB_KEYS = (*_COMMON, "natural_key", "by", "columns", "limit", "expect", "missing", *CALL_KEYS)
EXPECT_KEYS = ("rows", "exists", "column", "is")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)+", re.ASCII)


def read_verb(name: str, form: Form, entities: Mapping[str, Entity], verbs: frozenset[str]) -> Verb | None:
    """The verb that `form` describes; None where its kind is not known. `verbs` are the names of all verbs."""
    form.only(VERB_KEYS)
    if not _NAME.fullmatch(name):
        form.problem('a verb needs a name of two or more words with dots between, such as "cbu.create"')
    _check_replacement(name, form, verbs)
    kind = _kind(form)
    forms = form.forms("arguments", "argument")
    arguments = read_arguments(forms, entities)
    if kind is VerbKind.CALL:
        arguments = without_columns(arguments, forms)
    owner, table = _owner(form, kind, entities)
    if kind is None:
        return None
    _refuse_meaningless(form, kind)
    entity = entities.get(owner) if owner else None
    verb = Verb(
        name=name,
        kind=kind,
        table=table,
        arguments=arguments,
        entity=owner,
        description=form.text("description") or "",
        natural_key=_natural_key(form, kind, entity, arguments),
        by=form.texts("by"),
        columns=_columns(form, kind, entity, arguments),
        limit=_limit(form, kind),
        expect=_expect(form, kind),
        missing_ok=_missing(form),
        deprecated=form.flag("deprecated") or "replaced_by" in form,
        replaced_by=form.text("replaced_by"),
        handler=read_handler(form) if kind is VerbKind.CALL else "",
        reach=read_reach(form, entities) if kind is VerbKind.CALL else (),
    )
    check_rules(Draft(verb, entity, entities, form, forms))
    return verb


def _check_replacement(name: str, form: Form, verbs: frozenset[str]) -> None:
    other = form.text("replaced_by")
    if other == name:
        form.problem('"replaced_by" names the verb itself', "replaced_by")
    elif other is not None and other not in verbs:
        form.problem(f'"replaced_by" names no verb "{other}"{suggest(other, verbs)}', "replaced_by")
    if "replaced_by" in form and "deprecated" in form and not form.flag("deprecated"):
        form.problem('"replaced_by" and "deprecated: false" contradict each other', "deprecated")


def _kind(form: Form) -> VerbKind | None:
    return form.choice("kind", VerbKind, "kind", required=True)


def _owner(form: Form, kind: VerbKind | None, entities: Mapping[str, Entity]) -> tuple[str | None, str]:
    name, table = form.text("entity"), read_table(form)
    if "entity" in form and "table" in form:
        form.problem('has both "entity" and "table"; say one of them', "table")
    elif kind is VerbKind.CALL and "table" in form:
        form.problem('a call has no "table": say what it reaches with "reads" and "writes"', "table")
    elif kind is not VerbKind.CALL and "entity" not in form and "table" not in form:
        form.problem('"entity" or "table" is missing')
    if name is not None and name not in entities:
        form.problem(f'unknown entity "{name}"{suggest(name, entities, offer=True)}', "entity")
        name = None
    if kind is VerbKind.LINK and "entity" in form:
        form.problem('link is for a "table" without a key of its own; for an "entity" use kind ensure', "entity")
    if kind is VerbKind.ENSURE and "table" in form:
        form.problem('ensure is for an "entity"; for a "table" without a key of its own use kind link', "table")
    _check_plain_table(form, kind, table, entities)
    return name, table or (entities[name].table if name else "")


def _check_plain_table(form: Form, kind: VerbKind | None, table: str | None, entities: Mapping[str, Entity]) -> None:
    # A row that is written without its key being known could not be ordered against the statements that name its key.
    owners = [entity.name for entity in entities.values() if entity.table == table]
    if kind is not None and owners and "entity" not in form:
        form.problem(f'table "{table}" is that of an entity; write "entity: {owners[0]}"', "table")


def _refuse_meaningless(form: Form, kind: VerbKind) -> None:
    allowed = (*_COMMON, *_KEYS_OF[kind])
    for key in VERB_KEYS:
        if key in form and key not in allowed:
            kinds = ", ".join(kind for kind, keys in _KEYS_OF.items() if key in keys)
            form.problem(f'"{key}" has no meaning for kind {kind}; it is for {kinds}', key)


def _natural_key(form: Form, kind: VerbKind, entity: Entity | None, arguments: tuple[Argument, ...]) -> tuple[str, ...]:
    if "natural_key" in form or kind not in INSERTS or entity is None:
        return form.texts("natural_key")
    if kind is VerbKind.ENSURE and not entity.natural_key and entity.key.source is KeySource.ARGUMENT:
        return (entity.key.column,) if entity.key.column else ()
    written = {argument.column for argument in arguments}
    # A create that does not write all of it makes rows that no natural key tells apart: nothing to be ordered by.
    return entity.natural_key if kind is VerbKind.ENSURE or written.issuperset(entity.natural_key) else ()


def _columns(form: Form, kind: VerbKind, entity: Entity | None, arguments: tuple[Argument, ...]) -> tuple[str, ...]:
    if kind is not VerbKind.SELECT or "columns" in form:
        if kind is VerbKind.SELECT and form.is_empty("columns"):
            form.problem('"columns" must name at least one column', "columns")
        return form.texts("columns")
    if entity is not None:
        named = (entity.key.column, entity.display, *entity.search, *entity.natural_key)
    else:
        named = tuple(argument.column for argument in arguments)
        if not any(named) and "entity" not in form:
            form.problem('"columns" is missing: there is no argument whose column could be read instead')
    return tuple(dict.fromkeys(column for column in named if column))


def _limit(form: Form, kind: VerbKind) -> int | None:
    limit = form.count("limit", least=1, most=MAX_LIMIT)
    return (limit or DEFAULT_LIMIT) if kind is VerbKind.SELECT else limit


def _missing(form: Form) -> bool:
    word = form.text("missing")
    if word not in (None, "ok"):
        form.problem(f'"missing" must be ok, not "{word}"; leave it out to make nothing found an error', "missing")
    return word == "ok"


def _expect(form: Form, kind: VerbKind) -> Expect | None:
    inner = form.form("expect", "expect")
    if inner is None:
        if kind is VerbKind.ASSERT:
            form.problem('"expect" is missing: {rows: n}, {exists: true}, or {column: c, is: value}')
        return None
    inner.only(EXPECT_KEYS)
    forms = [key for key in ("rows", "exists", "column") if key in inner]
    if len(forms) != 1 or ("is" in inner) != ("column" in inner):
        inner.problem("must have exactly one form: {rows: n}, {exists: true | false}, or {column: c, is: value}")
        return None
    if "exists" in inner:
        return Expect(exists=inner.flag("exists"))
    return Expect(rows=inner.count("rows", least=0), column=inner.text("column"), value=inner.leaf("is"))
