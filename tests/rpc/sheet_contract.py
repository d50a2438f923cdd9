"""The part of the wire's contract that is about sheets, in the notation of test_protos.py."""

CHANGING = "request_id expected_version:int64?"
PAGED = "page_size:int32 page_token"
ONE_SHEET = "session? sheet_id?"
SHEET_FIELDS = {
    "Sheet": (
        "id session_id digest statement_count:int32 phase_count:int32 error_count:int32 warning_count:int32"
        " unresolved_count:int32 create_time:Timestamp phases:Phase* diagnostics:Diagnostic*"
        " unresolved_references:Reference*"
    ),
    "Phase": "depth:int32 statement_count:int32 statement_indices:int32* produces* consumes*",
    "Diagnostic": ("severity:DiagnosticSeverity code:DiagnosticCode message hint statement_index:int32? span:Span"),
    "Reference": (
        "ref_id statement_index:int32? argument text entity_type candidates:Candidate* entity_id span:Span hint"
    ),
    "Candidate": "entity_id display score:double",
    "Symbol": "name entity_type entity_id execution_id",
    "Statement": (
        "index:int32 source verb depth:int32 produces* consumes* entity_id span:Span status:StatementStatus"
        " resolved_arguments:ResolvedArgument* template_statement:int32?"
    ),
    "ResolvedArgument": "name entity_id display",
    "Span": "offset:int64 length:int64 line:int32 column:int32",
    "CheckSheetRequest": "source",
    "ImportSheetRequest": f"session source {CHANGING}",
    "GenerateSheetRequest": f"session {CHANGING}",
    "ParseSheetRequest": f"session {CHANGING}",
    "ResolveReferenceRequest": f"session ref_id entity_id apply_to_same_text:bool {CHANGING}",
    "GetSheetRequest": ONE_SHEET,
    "ListStatementsRequest": f"{ONE_SHEET} depth:int32? {PAGED}",
    "ListPhasesRequest": f"{ONE_SHEET} {PAGED}",
    "ListDiagnosticsRequest": f"{ONE_SHEET} {PAGED}",
    "ListReferencesRequest": f"{ONE_SHEET} unresolved_only:bool {PAGED}",
    "ListSymbolsRequest": f"session {PAGED}",
    "CheckSheetResponse": "sheet:Sheet",
    "ImportSheetResponse": "session:Session sheet:Sheet",
    "GenerateSheetResponse": "session:Session sheet:Sheet",
    "ParseSheetResponse": "session:Session sheet:Sheet",
    "ResolveReferenceResponse": "session:Session sheet:Sheet",
    "GetSheetResponse": "sheet:Sheet",
    "ListStatementsResponse": "statements:Statement* next_page_token",
    "ListPhasesResponse": "phases:Phase* next_page_token",
    "ListDiagnosticsResponse": "diagnostics:Diagnostic* next_page_token",
    "ListReferencesResponse": "references:Reference* next_page_token",
    "ListSymbolsResponse": "symbols:Symbol* next_page_token",
}
