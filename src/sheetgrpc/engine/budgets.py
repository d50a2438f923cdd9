"""How many rows an execution may change: counted while it runs, refused before it is submitted where a plan tells.

Rows are those that statements create, change and remove; what a foreign key or a trigger of the database does beside
them is not counted.
"""

from collections.abc import Mapping, Sequence

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.errors import LimitExceeded, Reason
from sheetgrpc.planning.effects import count_rows
from sheetgrpc.planning.model import ErrorCode, Plan, Results
from sheetgrpc.store.records import ExecutionError, ExecutionRow, TableCounts


class OverBudget(Exception):  # reads as what it is
    """A run has changed more rows than it may. Never leaves the engine."""

    def __init__(self, error: ExecutionError) -> None:
        super().__init__(error.message)
        self.error = error


class Budget:
    """What is left of one execution's budget."""

    def __init__(self, catalog: Catalog, execution: ExecutionRow) -> None:
        self._catalog = catalog
        self._most = execution.max_rows_affected
        self._tables = execution.table_budgets
        self._spent: dict[str, int] = {}

    def spend(self, plan: Plan, results: Results, indexes: Sequence[int]) -> None:
        """These statements are written. Raises OverBudget."""
        if self._most is None and not self._tables:
            return
        for table, rows in count_rows(self._catalog, plan, results, indexes).items():
            self._spent[table] = self._spent.get(table, 0) + rows
        over = _find_excess(self._spent, self._most, self._tables)
        if over is not None:
            what, limit, actual = over
            message = f"at least {actual:,} {what} would be changed, {limit:,} are allowed; everything was rolled back"
            raise OverBudget(ExecutionError(ErrorCode.BUDGET_EXCEEDED, message))


def check_plan(counts: Sequence[TableCounts], most: int | None, tables: Mapping[str, int]) -> None:
    """Raises LimitExceeded(BUDGET_EXCEEDED) where a plan already says that a budget is too small."""
    planned = {one.table: one.created + one.updated + one.deleted for one in counts}
    over = _find_excess(planned, most, tables)
    if over is not None:
        what, limit, actual = over
        raise LimitExceeded(
            Reason.BUDGET_EXCEEDED,
            f"{actual:,} {what} would be changed, {limit:,} are allowed; raise the budget or make the sheet smaller",
            metadata={"what": what, "limit": str(limit), "actual": str(actual)},
        )


def _find_excess(counts: Mapping[str, int], most: int | None, tables: Mapping[str, int]) -> tuple[str, int, int] | None:
    """What is too much, the limit, how much it is; tables first, by name."""
    for table, limit in sorted(tables.items()):
        if counts.get(table, 0) > limit:
            return f"rows of {table}", limit, counts[table]
    total = sum(counts.values())
    return ("rows", most, total) if most is not None and total > most else None
