"""Writes sheets and what is in them as messages.

Embedded lists are cut to a part of what an answer may hold; the List RPCs page all of them.
"""

from sheetgrpc.engine.views import (
    EMBEDDED,
    DiagnosticView,
    PhaseView,
    ReferenceView,
    SheetView,
    StatementView,
)
from sheetgrpc.planning.model import Status
from sheetgrpc.server.convert.enums import DIAGNOSTIC_CODES, SEVERITIES, STATUSES
from sheetgrpc.server.convert.fitting import fit, fit_texts
from sheetgrpc.server.convert.values import write_key, write_span, write_time
from sheetgrpc.store.records import Candidate
from sheetgrpc.v1 import diagnostic_pb2, reference_pb2, sheet_pb2, statement_pb2

# Three lists, a session and its template stay together below the 4 MiB that clients take.
_LIST_BYTES = 640 * 1024
_NAMES_BYTES = 256 * 1024  # of the symbols of one phase


def write_sheet(view: SheetView) -> sheet_pb2.Sheet:
    """A sheet with the first of what its analysis found."""
    return sheet_pb2.Sheet(
        id=view.id,
        session_id=view.session_id,
        digest=view.digest,
        statement_count=view.statement_count,
        phase_count=view.phase_count,
        error_count=view.error_count,
        warning_count=view.warning_count,
        unresolved_count=view.unresolved_count,
        create_time=write_time(view.created_at or None),
        phases=fit(map(write_phase, view.phases[:EMBEDDED]), _LIST_BYTES),
        diagnostics=fit(map(write_diagnostic, view.diagnostics[:EMBEDDED]), _LIST_BYTES),
        unresolved_references=fit(map(write_reference, view.unresolved_references[:EMBEDDED]), _LIST_BYTES),
    )


def write_phase(view: PhaseView) -> sheet_pb2.Phase:
    """A phase."""
    return sheet_pb2.Phase(
        depth=view.depth,
        statement_count=view.statement_count,
        statement_indices=view.statement_indices[:EMBEDDED],
        produces=fit_texts(view.produces[:EMBEDDED], _NAMES_BYTES),
        consumes=fit_texts(view.consumes[:EMBEDDED], _NAMES_BYTES),
    )


def write_diagnostic(view: DiagnosticView) -> diagnostic_pb2.Diagnostic:
    """A finding."""
    found = view.diagnostic
    return diagnostic_pb2.Diagnostic(
        severity=SEVERITIES.write(found.severity),
        code=DIAGNOSTIC_CODES.write(found.code),
        message=found.message,
        hint=found.hint,
        statement_index=found.statement_index,
        span=write_span(view.span),
    )


def write_reference(view: ReferenceView) -> reference_pb2.Reference:
    """A reference, open or resolved."""
    reference = view.row.reference
    return reference_pb2.Reference(
        ref_id=reference.ref_id,
        hint=reference.hint,
        statement_index=reference.statement_index,
        argument=reference.argument,
        text=reference.text,
        entity_type=reference.entity_type,
        candidates=map(write_candidate, view.row.candidates),
        entity_id=write_key(reference.entity_id),
        span=write_span(view.span),
    )


def write_candidate(candidate: Candidate) -> reference_pb2.Candidate:
    """A row that a text may mean."""
    return reference_pb2.Candidate(
        entity_id=write_key(candidate.entity_id), display=candidate.display, score=candidate.score
    )


def write_statement(view: StatementView) -> statement_pb2.Statement:
    """A statement."""
    return statement_pb2.Statement(
        index=view.index,
        source=view.source,
        verb=view.verb,
        depth=view.depth or 0,
        produces=[view.produces] if view.produces else [],
        consumes=view.consumes,
        entity_id=write_key(view.entity_id),
        span=write_span(view.span),
        status=STATUSES.write(Status(view.status)),
        resolved_arguments=[
            statement_pb2.ResolvedArgument(name=one.name, entity_id=write_key(one.entity_id), display=one.display)
            for one in view.resolved_arguments
        ],
        template_statement=view.template_statement,
    )
