"""Arguments of a verb, from YAML: types, limits, defaults, names.

Each argument is judged here by itself and beside its neighbours' names; what a kind of verb asks of its arguments is
`rules.py`. A broken argument is still answered, as far as it could be read, so that later checks do not trip over it.
"""

import re
import warnings
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from sheetgrpc.catalog.form import IDENT, Form, suggest
from sheetgrpc.catalog.model import Argument, Entity, RequiredWhen, Scalar, Type
from sheetgrpc.catalog.values import UnfitError, admit, article, read_key, show

ARGUMENT_KEYS = (
    "type",
    "required",
    "required_when",
    "default",
    "column",
    "aliases",
    "values",
    "entity",
    "of",
    "min",
    "max",
    "min_length",
    "max_length",
    "pattern",
    "description",
)
CONDITION_KEYS = ("argument", "in")
RESERVED = "as"  # `:as @name` binds, in every call
# Which types a key has a meaning for; a list also takes `values` and `entity` for its items.
_MEANT_FOR: Mapping[str, frozenset[Type]] = {
    "values": frozenset({Type.ENUM}),
    "entity": frozenset({Type.ENTITY}),
    "of": frozenset({Type.LIST}),
    "min": frozenset({Type.INTEGER, Type.DECIMAL}),
    "max": frozenset({Type.INTEGER, Type.DECIMAL}),
    "min_length": frozenset({Type.STRING, Type.LIST}),
    "max_length": frozenset({Type.STRING, Type.LIST}),
    "pattern": frozenset({Type.STRING}),
}
_UNCOMPARED = frozenset({Type.ENTITY, Type.JSON, Type.LIST})


def read_arguments(forms: Mapping[str, Form], entities: Mapping[str, Entity]) -> tuple[Argument, ...]:
    """The arguments that `forms` describe, in order."""
    arguments = tuple(_read(name, form, entities) for name, form in forms.items())
    _check_names(arguments, forms)
    return tuple(_with_condition(argument, forms[argument.name], arguments) for argument in arguments)


def _read(name: str, form: Form, entities: Mapping[str, Entity]) -> Argument:
    form.only(ARGUMENT_KEYS)
    kind = form.choice("type", Type, "type", required=True)
    item = form.choice("of", Type, "type", required=kind is Type.LIST)
    if kind is not None:
        _refuse_meaningless(form, kind, item)
    draft = Argument(
        name=name,
        type=kind or Type.STRING,
        column=_column(name, form),
        required=form.flag("required"),
        has_default="default" in form,
        aliases=form.texts("aliases"),
        values=_values(form, kind, item),
        entity=_entity(form, kind, item, entities),
        of=item,
        min=_bound(form, "min", kind),
        max=_bound(form, "max", kind),
        min_length=form.count("min_length", least=0),
        max_length=form.count("max_length", least=0),
        pattern=_pattern(form),
        description=form.text("description") or "",
    )
    _check_limits(draft, form)
    if kind is None or not draft.has_default:
        return draft
    return msgspec.structs.replace(draft, default=_default(draft, form, entities))


def _refuse_meaningless(form: Form, kind: Type, item: Type | None) -> None:
    for key, types in _MEANT_FOR.items():
        items_take_it = kind is Type.LIST and key in ("values", "entity") and item in types
        if key in form and kind not in types and not items_take_it:
            takers = " and ".join(f'"{name}"' for name in sorted(types))
            form.problem(f'"{key}" is for type {takers}, not for {article(kind)}', key)
    if item is Type.LIST:
        form.problem("a list of lists is not possible; use type json", "of")


def _column(name: str, form: Form) -> str | None:
    if "column" not in form:
        return name.replace("-", "_")
    if form.is_null("column"):
        return None
    return form.text("column")


def _values(form: Form, kind: Type | None, item: Type | None) -> tuple[str, ...]:
    values = form.texts("values")
    if Type.ENUM in (kind, item) and not values and ("values" not in form or form.is_empty("values")):
        form.problem('"values" is missing: an enum lists what it takes', "values")
    seen: dict[str, str] = {}
    for value in values:
        if (twin := seen.setdefault(value.casefold(), value)) != value:
            form.problem(f'"values" has "{twin}" and "{value}", which differ in case only', "values")
    return values


def _entity(form: Form, kind: Type | None, item: Type | None, entities: Mapping[str, Entity]) -> str | None:
    name = form.text("entity", required=Type.ENTITY in (kind, item))
    if name is None or name in entities:
        return name
    form.problem(f'unknown entity "{name}"{suggest(name, entities, offer=True)}', "entity")
    return None


def _bound(form: Form, key: str, kind: Type | None) -> int | Decimal | None:
    number = form.number(key)
    if kind is Type.INTEGER and isinstance(number, Decimal):
        form.problem(f'"{key}" of an integer must be an integer, not {number}', key)
        return None
    return Decimal(number) if kind is Type.DECIMAL and number is not None else number


def _pattern(form: Form) -> str | None:
    pattern = form.text("pattern")
    if pattern is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a pattern whose meaning will change is refused while it is easy to mend
            re.compile(pattern)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        form.problem(f'"pattern" is no regular expression: {error}', "pattern")
        return None
    return pattern


def _check_limits(draft: Argument, form: Form) -> None:
    if draft.min is not None and draft.max is not None and draft.min > draft.max:
        form.problem(f'"min" {draft.min} is above "max" {draft.max}', "min")
    if draft.min_length is not None and draft.max_length is not None and draft.min_length > draft.max_length:
        form.problem(f'"min_length" {draft.min_length} is above "max_length" {draft.max_length}', "min_length")
    if draft.required and draft.has_default:
        form.problem('"required" and "default" contradict each other; drop one', "default")
    if draft.required and "required_when" in form:
        form.problem('"required" and "required_when" contradict each other; drop one', "required_when")
    elif draft.has_default and "required_when" in form:
        form.problem('"required_when" says nothing beside "default"; drop one', "required_when")


def _default(draft: Argument, form: Form, entities: Mapping[str, Entity]) -> Scalar:
    if draft.type in (Type.LIST, Type.JSON) and not form.is_null("default"):
        form.problem(f"{article(draft.type)} has no default but null; make it required or leave it out", "default")
        return None
    value = form.leaf("default")
    if draft.type is Type.ENUM and not draft.values:  # said already
        return None
    try:
        admitted = admit(draft, value)
    except UnfitError as error:
        form.problem(f"bad default: {error}", "default")
        return None
    if draft.type is not Type.ENTITY or admitted is None or draft.entity is None:
        return admitted
    kind = entities[draft.entity].key.type
    key = read_key(kind, admitted)
    if key is None:
        form.problem(f'bad default: {show(admitted)} is not a key of "{draft.entity}" ({kind})', "default")
    return key


def _check_names(arguments: tuple[Argument, ...], forms: Mapping[str, Form]) -> None:
    taken = {argument.name: argument.name for argument in arguments}
    for argument in arguments:
        form = forms[argument.name]
        _check_name(argument.name, form, None)
        for alias in argument.aliases:
            _check_name(alias, form, "aliases")
            owner = taken.setdefault(alias, argument.name)
            if alias == argument.name:
                form.problem(f'alias "{alias}" is the argument\'s own name', "aliases")
            elif owner != argument.name:
                form.problem(f'alias "{alias}" is already a name of argument "{owner}"', "aliases")


def _check_name(name: str, form: Form, key: str | None) -> None:
    if name == RESERVED:
        form.problem('the name "as" is taken: ":as" binds a symbol', key)
    elif not IDENT.fullmatch(name):
        form.problem(f'"{name}" is no name: letters, digits, "-" and "_", and no digit or "-" first', key)


def _with_condition(argument: Argument, form: Form, arguments: tuple[Argument, ...]) -> Argument:
    inner = form.form("required_when", "required_when")
    if inner is None:
        return argument
    inner.only(CONDITION_KEYS)
    name = inner.text("argument", required=True)
    values = inner.scalars("in")
    if not values:
        inner.problem('"in" must list at least one value', "in")
    others = {other.name: other for other in arguments if other.name != argument.name}
    if name is None:
        return argument
    if name not in others:
        inner.problem(f'unknown argument "{name}"{suggest(name, others, offer=True)}', "argument")
        return argument
    when = RequiredWhen(argument=name, values=_conditions(others[name], values, inner))
    return msgspec.structs.replace(argument, required_when=when)


def _conditions(other: Argument, values: tuple[Scalar, ...], form: Form) -> tuple[Scalar, ...]:
    if other.type in _UNCOMPARED:
        form.problem(f'argument "{other.name}" is {article(other.type)}, which cannot be compared here', "argument")
        return ()
    admitted: list[Scalar] = []
    for value in values:
        try:
            admitted.append(admit(other, value))
        except UnfitError as error:
            form.problem(f"{error}", "in")
    return tuple(admitted)
