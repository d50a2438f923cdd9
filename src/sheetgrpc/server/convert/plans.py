"""Reads what requests say of plans, digests and budgets, and writes effects."""

import re
from collections.abc import Mapping

from sheetgrpc.engine import intents
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Effect
from sheetgrpc.server.convert.enums import EFFECTS
from sheetgrpc.server.convert.form import TEXT_LENGTH, Form
from sheetgrpc.server.convert.values import read_timeout, write_key, write_struct
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.records import EffectChange
from sheetgrpc.v1 import effect_pb2, execution_service_pb2

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_TABLES = 100


def read_plan_sheet(form: Form, request: execution_service_pb2.PlanSheetRequest) -> intents.PlanSheet:
    """PlanSheet."""
    timeout = read_timeout(form, "timeout", request.timeout) if request.HasField("timeout") else None
    return intents.PlanSheet(timeout=timeout)


def read_digest(form: Form, digest: str) -> str:
    """The digest of a plan, or "" for none."""
    if digest and not _DIGEST.fullmatch(digest):
        form.refuse("plan_digest", "must be 64 lower-case hex digits, as PlanSheet's execution has them")
    return digest


def read_budgets(
    form: Form, request: execution_service_pb2.SubmitSheetRequest | execution_service_pb2.ExecuteSheetRequest
) -> tuple[int | None, Mapping[str, int]]:
    """How many rows a submit may change, in all and by table."""
    most = request.max_rows_affected if request.HasField("max_rows_affected") else None
    if most is not None and most < 0:
        form.refuse("max_rows_affected", "must not be negative")
    tables = dict(request.table_budgets)
    if len(tables) > _MAX_TABLES:
        form.refuse("table_budgets", f"names {len(tables):,} tables; {_MAX_TABLES} are allowed")
    elif any(rows < 0 for rows in tables.values()):
        form.refuse("table_budgets", "must not be negative")
    return most, tables


def read_effect_filter(form: Form, request: execution_service_pb2.ListEffectsRequest) -> EffectFilter:
    """The filters of ListEffects."""
    if len(request.tables) > _MAX_TABLES:
        form.refuse("tables", f"has {len(request.tables):,} tables; {_MAX_TABLES} are allowed")
        return EffectFilter()
    tables = [form.text(f"tables[{at}]", table[: TEXT_LENGTH + 1]) for at, table in enumerate(request.tables)]
    kinds = EFFECTS.read_all(form, "kinds", request.kinds)
    return EffectFilter(tuple(tables), tuple(int(kind) for kind in kinds))


def write_effect(effect: RowEffect) -> effect_pb2.Effect:
    """A change of a row."""
    return effect_pb2.Effect(
        statement_index=effect.statement_index,
        table=effect.table,
        kind=EFFECTS.write(Effect(effect.kind)),
        entity_type=effect.entity_type,
        key=write_key(effect.key),
        display=effect.display,
        before=write_struct(effect.before) if effect.before else None,
        after=write_struct(effect.after) if effect.after else None,
    )


def write_change(change: EffectChange) -> effect_pb2.EffectChange:
    """Where a run differs from its plan."""
    return effect_pb2.EffectChange(
        planned=write_effect(change.planned) if change.planned is not None else None,
        actual=write_effect(change.actual) if change.actual is not None else None,
    )
