"""What a run does to rows, as a plan has it: collected at its end, compared with the plan, told where it differs.

A dry run is an execution like any other up to the moment when it would commit. A run that is bound to a plan compares
there, inside its transaction, and commits only what was planned.
"""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from sheetgrpc.engine.context import Context
from sheetgrpc.planning.digest import plan_digest, scope_digest
from sheetgrpc.planning.effects import RowEffect, collect, hide_keys, name_keys
from sheetgrpc.planning.model import ErrorCode, Plan, Results
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.packing import EffectFilter, Piece, pack
from sheetgrpc.store.records import EffectChange, ExecutionError, ExecutionFilter, ExecutionRow, SheetRow

_CHANGES = 20  # that a refusal tells
_TEXT = 200  # characters of a value that it tells
_PAGE = 1000
_PLANS = 100  # executions of a session that are looked through for a plan
_NOTHING: tuple[object, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """What a run did: its digest, its effects, and the same as it is stored."""

    digest: str
    effects: list[RowEffect]
    pieces: list[Piece]


async def record(context: Context, execution: ExecutionRow, sheet: SheetRow, plan: Plan, results: Results) -> Recorded:
    """The effects of a run whose statements are all over. A hundred thousand take a second of a thread.

    The keys that a dry run made are in none of its results then.
    """
    scope = await context.store.scope(sheet.scope_id) if sheet.scope_id else None

    def work() -> Recorded:
        catalog = context.catalog
        names = name_keys(catalog, plan, results)
        effects = collect(catalog, plan, results, names)
        digest = plan_digest(
            sheet=sheet.digest,
            scope=scope_digest(scope.entity_type, scope.keys) if scope is not None else "",
            catalog=" ".join([catalog.digest, *(one.sha256 for one in execution.trusted_modules)]),
            plan=plan,
            effects=effects,
        )
        if not execution.dry_run and digest != execution.plan_digest:
            return Recorded(digest, effects, [])
        if execution.dry_run:
            hide_keys(results, names)
            return Recorded(digest, effects, pack(effects))
        real = name_keys(catalog, plan, results, real=True)
        return Recorded(digest, effects, pack(collect(catalog, plan, results, real)))

    return await asyncio.to_thread(work)


async def find_plan(context: Context, session_id: str, digest: str) -> ExecutionRow | None:
    """The latest plan of a session that has this digest, among its last hundred executions that succeeded."""
    wanted = ExecutionFilter(session_id=session_id, states=(ExecutionState.SUCCEEDED.value,))
    rows = await context.store.executions(wanted, _PLANS, None)
    return next((row for row in rows if row.dry_run and row.plan_digest == digest), None)


async def explain(context: Context, execution: ExecutionRow, recorded: Recorded) -> ExecutionError:
    """Why a plan does not hold any more: the first effects that would be others now."""
    planned = await find_plan(context, execution.session_id, execution.plan_digest)
    text = f"the plan {execution.plan_digest[:12]} does not hold any more, nothing was applied"
    if planned is None:
        return ExecutionError(ErrorCode.PLAN_STALE, f"{text}; the session has no plan of that digest: plan again")
    before: list[RowEffect] = []
    while page := await context.store.effects(planned, len(before) - 1, _PAGE, EffectFilter()):
        before += (effect for _, effect in page)
    changes = await asyncio.to_thread(lambda: list(_compare(before, recorded.effects)))
    if not changes:
        text = f"{text}: its effects would be the same, but the catalog or what a name means has changed; plan again"
        return ExecutionError(ErrorCode.PLAN_STALE, text)
    told = tuple(msgspec.structs.replace(one, planned=_cut(one.planned), actual=_cut(one.actual)) for one in changes)
    number = "an effect" if len(told) == 1 else f"{len(told)} effects" if len(told) < _CHANGES else "effects"
    return ExecutionError(ErrorCode.PLAN_STALE, f"{text}: {number} would be others now; plan again", changes=told)


def _compare(planned: Sequence[RowEffect], actual: Sequence[RowEffect]) -> Iterator[EffectChange]:
    """The first differences, by statement and row."""
    old = {_place(effect): effect for effect in planned}
    new = {_place(effect): effect for effect in actual}
    places = sorted(old.keys() | new.keys())
    changed = (place for place in places if _essence(old.get(place)) != _essence(new.get(place)))
    return (EffectChange(old.get(place), new.get(place)) for place in islice(changed, _CHANGES))


def _place(effect: RowEffect) -> tuple[int, str]:
    """The statement, and which of its rows; a row without a key is known by what it holds."""
    name = str(effect.key) if effect.key is not None else msgspec.json.encode(effect.after or effect.before).decode()
    return effect.statement_index, name


def _essence(effect: RowEffect | None) -> tuple[object, ...]:
    if effect is None:
        return _NOTHING
    return effect.kind, {} if effect.made else effect.before, effect.after


def _cut(effect: RowEffect | None) -> RowEffect | None:
    """The effect with its long texts cut: this stands in every answer about the execution."""
    if effect is None:
        return None
    before, after = (
        {name: _short(value) for name, value in islice(values.items(), _CHANGES)}
        for values in (effect.before, effect.after)
    )
    return msgspec.structs.replace(effect, before=before, after=after, display=effect.display[:_TEXT])


def _short(value: object) -> object:
    if isinstance(value, (str, list, dict)) and len(text := value if isinstance(value, str) else str(value)) > _TEXT:
        return text[:_TEXT] + "..."
    return value
