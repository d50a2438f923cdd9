"""What a kind of verb asks of its arguments (the table of kinds in DESIGN section 5), one rule a function.

A rule sees one verb that has been read as far as it could be, and notes what breaks it at the place it stands. Rules
assume that names are known and types are right; `verbs.py` has seen to that.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sheetgrpc.catalog.form import Form, suggest
from sheetgrpc.catalog.model import Argument, Entity, KeySource, KeyType, Type, Verb, VerbKind

INSERTS = frozenset({VerbKind.CREATE, VerbKind.ENSURE, VerbKind.LINK})
FINDS = frozenset({VerbKind.ENSURE, VerbKind.LINK})  # by natural key
CHANGES = frozenset({VerbKind.UPDATE, VerbKind.DELETE, VerbKind.UNLINK})  # the rows that `by` selects
_NO_EQUALITY = frozenset({Type.JSON, Type.LIST})
_KEY_FILLERS: Mapping[KeyType, frozenset[Type]] = {
    KeyType.UUID: frozenset({Type.UUID}),
    KeyType.INTEGER: frozenset({Type.INTEGER}),
    KeyType.STRING: frozenset({Type.STRING, Type.ENUM}),
}


class Draft(msgspec.Struct, frozen=True):
    """A verb as read, its entity if it has one, and the places of its parts in the file."""

    verb: Verb
    entity: Entity | None
    entities: Mapping[str, Entity]
    form: Form
    arguments: Mapping[str, Form]


def check_rules(draft: Draft) -> None:
    """Notes everything about the verb that its kind does not allow."""
    if draft.verb.kind is VerbKind.CALL:
        return  # what it does is its handler's business
    _check_by(draft)
    _check_idle(draft)
    _check_columns(draft)
    if draft.verb.kind in INSERTS:
        _check_natural_key(draft)
        _check_key(draft)
        _check_parent(draft)
        _check_something_stored(draft)
    if draft.verb.kind is VerbKind.UPDATE:
        _check_update(draft)


def always_given(argument: Argument, entity: Entity | None, arguments: Iterable[Argument]) -> bool:
    """True where every accepted call has a value for it that is not null."""
    if argument.required or (argument.has_default and argument.default is not None):
        return True
    if entity is None or entity.parent is None:
        return False
    # A call that names no parent is MISSING_PARENT: the only argument that can name one is always given.
    return [argument.name] == [other.name for other in arguments if _names(other, entity.parent)]


def _check_by(draft: Draft) -> None:
    verb, form = draft.verb, draft.form
    known = {argument.name: argument for argument in verb.arguments}
    if verb.kind in CHANGES and not verb.by and ("by" not in form or form.is_empty("by")):
        form.problem(f'"by" is missing: {verb.kind} names the arguments that select its rows', "by")
    for name in verb.by:
        argument = known.get(name)
        if argument is None:
            form.problem(f'"by" names no argument "{name}"{_suggest_argument(name, verb)}', "by")
        elif argument.column is None:
            form.problem(f'"by" names argument "{name}", which has no column', "by")
        elif argument.type in _NO_EQUALITY:
            form.problem(f'"by" names argument "{name}", but rows cannot be found by a {argument.type}', "by")
        elif verb.kind in CHANGES and not always_given(argument, None, ()):
            form.problem(f'"by" names argument "{name}", so it must be required or have a default', "by")


def _suggest_argument(name: str, verb: Verb) -> str:
    for argument in verb.arguments:
        if name in argument.aliases or name == argument.column:
            return f'; did you mean "{argument.name}"?'
    return suggest(name, [argument.name for argument in verb.arguments], offer=True)


def _check_idle(draft: Draft) -> None:
    verb = draft.verb
    if verb.kind in INSERTS or verb.kind is VerbKind.UPDATE:
        return
    for argument in verb.arguments:
        if argument.column is not None and argument.name not in verb.by:
            draft.arguments[argument.name].problem(
                f'{verb.kind} sets nothing: put "{argument.name}" into "by", or say "column: null"'
            )


def _check_columns(draft: Draft) -> None:
    # The same column may be found by one argument and set by another: that is how a row gets a new name.
    for selects in (True, False):
        owner: dict[str, str] = {}
        for argument in draft.verb.arguments:
            if argument.column is None or (argument.name in draft.verb.by) is not selects:
                continue
            first = owner.setdefault(argument.column, argument.name)
            if first != argument.name:
                form = draft.arguments[argument.name]
                form.problem(f'column "{argument.column}" is already that of argument "{first}"', "column")


def _check_natural_key(draft: Draft) -> None:
    verb = draft.verb
    if verb.kind in FINDS and not verb.natural_key:
        owner = ", or give its entity one" if verb.kind is VerbKind.ENSURE else ""
        draft.form.problem(f'"natural_key" is missing: {verb.kind} finds its row by it{owner}', "natural_key")
    own = "natural_key" in draft.form
    for column in verb.natural_key:
        argument = _filler(verb, column)
        name = f'natural key column "{column}"'
        if argument is None:
            if own or verb.kind in FINDS:
                draft.form.problem(f"{name} is filled by no argument{_suggest_column(column, verb)}", "natural_key")
        elif argument.type in _NO_EQUALITY:
            draft.form.problem(f'{name} is filled by "{argument.name}", a {argument.type}', "natural_key")
        elif verb.kind in FINDS and not always_given(argument, draft.entity, verb.arguments):
            draft.arguments[argument.name].problem(f"fills {name}, so it must be required or have a default")


def _suggest_column(column: str, verb: Verb) -> str:
    for argument in verb.arguments:
        if column == argument.name and argument.column is not None:
            return f'; did you mean "{argument.column}"?'
    return suggest(column, [argument.column for argument in verb.arguments if argument.column])


def _check_key(draft: Draft) -> None:
    entity = draft.entity
    if entity is None or not entity.key.column:
        return
    argument = _filler(draft.verb, entity.key.column)
    if entity.key.source is not KeySource.ARGUMENT:
        if argument is not None:
            message = f'writes the key "{entity.key.column}", which the {entity.key.source} makes'
            draft.arguments[argument.name].problem(message)
    elif argument is None:
        draft.form.problem(f'no argument fills the key "{entity.key.column}", which comes from an argument')
    elif not argument.required:
        draft.arguments[argument.name].problem(f'fills the key "{entity.key.column}", so it must be required')
    elif not _fits_key(argument, entity.key.type, draft.entities):
        message = f'fills the key "{entity.key.column}", which is of type {entity.key.type}, not {argument.type}'
        draft.arguments[argument.name].problem(message, "type")


def _fits_key(argument: Argument, kind: KeyType, entities: Mapping[str, Entity]) -> bool:
    if argument.type is Type.ENTITY:  # a table that extends another one, row by row
        return argument.entity is None or entities[argument.entity].key.type is kind
    return argument.type in _KEY_FILLERS[kind]


def _check_parent(draft: Draft) -> None:
    parent = draft.entity.parent if draft.entity else None
    if draft.entity is None or parent is None or any(_names(argument, parent) for argument in draft.verb.arguments):
        return
    draft.form.problem(f'no argument of entity "{parent}", the parent of "{draft.entity.name}"')


def _check_something_stored(draft: Draft) -> None:
    server_fills = draft.entity is not None and draft.entity.key.source is KeySource.SERVER
    if not server_fills and not any(_stored(draft.verb)):
        draft.form.problem(f"{draft.verb.kind} has no argument with a column: there is nothing to insert")


def _check_update(draft: Draft) -> None:
    verb = draft.verb
    changed = [argument for argument in _stored(verb) if argument.name not in verb.by]
    if not changed:
        draft.form.problem('update sets nothing: every argument with a column is in "by"')
    for argument in changed:
        if draft.entity is not None and argument.column == draft.entity.key.column:
            message = f'sets the key "{argument.column}"; a key never changes: put "{argument.name}" into "by"'
            draft.arguments[argument.name].problem(message)


def _names(argument: Argument, entity: str) -> bool:
    return argument.type is Type.ENTITY and argument.entity == entity


def _filler(verb: Verb, column: str) -> Argument | None:
    return next((argument for argument in verb.arguments if argument.column == column), None)


def _stored(verb: Verb) -> Iterator[Argument]:
    return (argument for argument in verb.arguments if argument.column is not None)
