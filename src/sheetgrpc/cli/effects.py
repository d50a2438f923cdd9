"""A plan drawn as people expect of one: + what is made, ~ what changes and how, - what goes; and a line of counts."""

from collections.abc import Iterable, Sequence

from google.protobuf.struct_pb2 import Struct, Value

from sheetgrpc.cli.terminal import Terminal, plural, shorten
from sheetgrpc.client import Client, words
from sheetgrpc.v1.effect_pb2 import Effect, EffectChange
from sheetgrpc.v1.execution_pb2 import Execution

MOST_EFFECTS = 100
MOST_LETTERS = 100  # of a value
_SIGNS = {"CREATED": ("+", "green"), "UPDATED": ("~", "yellow"), "DELETED": ("-", "red")}
_UNKNOWN = "?", ""


async def show_plan(terminal: Terminal, client: Client, plan: Execution, *, everything: bool = False) -> None:
    """Draw what a dry run would do, the first hundred effects unless `everything` is asked for."""
    shown = 0
    async for effect in client.executions.effects(plan.id):
        draw_effect(terminal, effect)
        shown += 1
        if shown == MOST_EFFECTS and not everything:
            break
    total = sum(_counts(plan)[:3])
    if shown < total:
        terminal.line(f"  and {plural(total - shown, 'more change')}: sheetgrpc plan --all shows them")
    if shown:
        terminal.line()
    terminal.line((summarize_plan(plan), "bold"))


def summarize_plan(plan: Execution) -> str:
    """The plan in a line."""
    created, updated, deleted, unchanged = _counts(plan)
    if not created and not updated and not deleted:
        return f"Plan: nothing to do, {plural(unchanged, 'row')} already as asked for."
    return f"Plan: {created:,} to add, {updated:,} to change, {deleted:,} to delete."


def changes_anything(plan: Execution) -> bool:
    """True if a row would be another afterwards."""
    return any(_counts(plan)[:3])


def draw_effect(terminal: Terminal, effect: Effect) -> None:
    """Draw one change of a row."""
    sign, colour = _SIGNS.get(words.effect_kind(effect.kind), _UNKNOWN)
    name = " ".join(filter(None, (effect.entity_type or effect.table, effect.key)))
    text = f"  {shorten(effect.display, MOST_LETTERS)}" if effect.display else ""
    terminal.line((f"  {sign} ", colour), (name, "bold"), text, (f"  (statement {effect.statement_index})", "dim"))
    columns = list(dict.fromkeys([*sorted(effect.before.fields), *sorted(effect.after.fields)]))
    width = max(map(len, columns), default=0)
    for column in columns:
        terminal.line(f"      {column.ljust(width)}  ", *_change(effect, column))


def show_stale(terminal: Terminal, changes: Sequence[EffectChange]) -> None:
    """Draw where the effects are not those of the plan any more."""
    for change in changes:
        for heading, effect, there in (
            ("planned", change.planned, change.HasField("planned")),
            ("now", change.actual, change.HasField("actual")),
        ):
            terminal.line((f"{heading}:", "bold"), "" if there else " nothing")
            if there:
                draw_effect(terminal, effect)


def _change(effect: Effect, column: str) -> Iterable[str | tuple[str, str]]:
    before, after = _shown(effect.before, column), _shown(effect.after, column)
    if not effect.HasField("after") or before == after:
        return [before]
    if not effect.HasField("before"):
        return [after]
    return [(before, "red"), " -> ", (after, "green")]


def _shown(values: Struct, column: str) -> str:
    value = values.fields.get(column)
    return "nil" if value is None else shorten(_text(value), MOST_LETTERS)


def _text(value: Value) -> str:
    match value.WhichOneof("kind"):
        case "string_value":
            return f'"{value.string_value}"'
        case "number_value":
            number = value.number_value
            return f"{int(number)}" if number == int(number) else f"{number:g}"
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "list_value":
            return f"[{', '.join(map(_text, value.list_value.values))}]"
        case "struct_value":
            return f"{{{', '.join(f':{key} {_text(item)}' for key, item in value.struct_value.fields.items())}}}"
        case _:
            return "nil"


def _counts(plan: Execution) -> tuple[int, int, int, int]:
    """Rows created, updated, deleted, unchanged."""
    return (
        sum(one.created for one in plan.tables),
        sum(one.updated for one in plan.tables),
        sum(one.deleted for one in plan.tables),
        sum(one.unchanged for one in plan.tables),
    )
