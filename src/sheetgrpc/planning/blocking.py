"""What a failure holds back: the statements that use its symbols, and after a failed assert the writers of its table.

Other edges only order (DESIGN section 6). A statement is skipped for the lowest root failure it hangs on, however far.
"""

from collections.abc import Iterable

from sheetgrpc.catalog.model import Catalog, VerbKind
from sheetgrpc.planning.model import ErrorCode, Group, Plan, Results, StatementError, Status


def fail(catalog: Catalog, plan: Plan, results: Results, index: int, error: StatementError) -> None:
    """Records a failed statement and what follows for others."""
    results.status[index] = Status.FAILED
    results.keys[index] = None
    results.errors[index] = error
    results.roots[index] = index
    verb = catalog.verbs[plan.groups[plan.group_of[index]].verb]
    if verb.kind is VerbKind.ASSERT:
        results.failed_asserts.setdefault(verb.table, []).append((plan.depths[index], index))


def skip(catalog: Catalog, results: Results, group: Group, start: int, stop: int, depth: int) -> None:
    """Marks the rows of a batch that hang on an earlier failure. Call it batch by batch, in run order."""
    if not results.roots:
        return
    verb = catalog.verbs[group.verb]
    failed = [one for table in verb.written for one in results.failed_asserts.get(table, ())]
    by_assert = [index for at, index in failed if at < depth]
    for row in range(start, stop):
        roots = [*by_assert, *(results.roots[ref] for ref in uses(group, row) if ref in results.roots)]
        if roots:
            _skip(results, group.indexes[row], min(roots))


def skip_rest(catalog: Catalog, plan: Plan, results: Results, first: int) -> None:
    """Marks what hangs on a failure among batches that will not run, from batch `first` on; the rest is NOT_RUN."""
    for at in range(4 * first, len(plan.batches), 4):
        number, start, stop, depth = plan.batches[at : at + 4]
        skip(catalog, results, plan.groups[number], start, stop, depth)


def uses(group: Group, row: int) -> Iterable[int]:
    """The statements whose keys this one uses."""
    for column in group.columns:
        if column.refs is not None and column.refs[row] >= 0:
            yield column.refs[row]
        if column.trees and row in column.trees:
            yield from (piece for piece in column.trees[row] if isinstance(piece, int))


def _skip(results: Results, index: int, root: int) -> None:
    results.status[index] = Status.SKIPPED
    results.keys[index] = None
    results.roots[index] = root
    message = f"statement {root}, which this one hangs on, failed"
    results.errors[index] = StatementError(ErrorCode.BLOCKED, message, blocked_by=root)
