"""A random caller of the real server: what allowed_actions names is never refused for reasons of state, what it does
not name always is, and a refusal leaves the session as it was, byte for byte."""

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.flows.serving import ORCHARD, SECONDS, Client, Refusal, execute, orchard, serve, submit

from sheetgrpc.v1 import (
    approval_service_pb2,
    execution_pb2,
    execution_service_pb2,
    session_pb2,
    session_service_pb2,
    sheet_service_pb2,
)
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

# A text, and the state that ParseSheet takes it to.
SHEETS = {
    '(grower.ensure :code "one" :as @g) (plot.ensure :grower @g :number 1)': "READY",
    '(grower.ensure :code "lost" :village "Atlantis")': "READY",  # its run fails
    '(grower.ensure :code "three" :as @g) (nap.take :name "long" :grower @g)': "READY",  # its run times out
    "(plot.ensure :grower <Root> :number 2) (plot.ensure :grower <Root> :number 3)": "RESOLVING",
    "(plot.ensure :grower <Trunk> :number 4)": "READY",
    "(grower.ensur :code 1)": "PARSED",
    "; nothing": "PARSED",
    "(grower.ensure :code": "GENERATED",
}
TEMPLATES = ("(plot.ensure :grower @grower :number 5)", "(plot.ensure :grower @grower :number 6 :apple <nobody>)")
BAD_TEMPLATES = ("", "(plot.ensure", '(grower.ensure :code "x")', '(grower.ensure :code "x" :as @grower)')
NEXT = {
    "SetScope": "SCOPED",
    "ClearScope": "EMPTY",
    "SetTemplate": "TEMPLATED",
    "ConfirmIntent": "TEMPLATED",
    "GenerateSheet": "GENERATED",
    "ImportSheet": "GENERATED",
}
FORWARD = {
    session_pb2.SESSION_STATE_EMPTY: ("SetScope", "ImportSheet"),
    session_pb2.SESSION_STATE_SCOPED: ("SetTemplate", "ImportSheet"),
    session_pb2.SESSION_STATE_TEMPLATED: ("ConfirmIntent", "GenerateSheet"),
    session_pb2.SESSION_STATE_GENERATED: ("ParseSheet",),
    session_pb2.SESSION_STATE_PARSED: ("ImportSheet", "SetTemplate"),
    session_pb2.SESSION_STATE_RESOLVING: ("ResolveReference",),
    session_pb2.SESSION_STATE_READY: ("SubmitSheet", "ExecuteSheet", "ResolveReference"),
    session_pb2.SESSION_STATE_EXECUTED: ("ParseSheet", "SetTemplate", "ImportSheet"),
}
TIMEOUT = Duration(nanos=400_000_000)
COMPLETED = session_pb2.SESSION_LIFECYCLE_COMPLETED
EMPTY = session_pb2.SESSION_STATE_EMPTY
SCOPED = session_pb2.SESSION_STATE_SCOPED


def changing() -> dict[str, Any]:
    """Every RPC that changes a session: name -> its service."""
    files = (session_service_pb2, sheet_service_pb2, execution_service_pb2, approval_service_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    return {
        method.name: service
        for service in services
        for method in service.methods
        if {"session", "request_id"} <= set(method.input_type.fields_by_name)
    }


ACTIONS = {name: service for name, service in changing().items() if name != "ForkSession"}  # which is of no state
Choose = Callable[[Sequence[Any]], Any]
ANY_TIME = {"AppendSessionEvents", "LabelSession", "RenewSession", "UpdateSession"}  # they change no layer
CANCEL = "CancelExecution"  # takes an execution, and is judged by that
UNDOS = {"UndoSession": "RedoSession", "RedoSession": "UndoSession"}
SUBMITS = {"SubmitSheet", "ExecuteSheet"}
ABOUT_A_PLAN = {"PlanSheet", "RequestApproval"}  # READY before and after
NO_PLAN = "0" * 64


class Caller:
    """One session, and what is known of it.

    What happens at the server is not for the seed alone to say (a run may be over in time or not), so these walks are
    not Hypothesis's, which wants the same choices to lead to the same ones.
    """

    ids = itertools.count()

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.client = client
        self.chance = chance
        self.session = self.client.create()
        self.slow = False  # the run of the sheet takes until its timeout
        self.parses_to = ""  # what the imported text would be; nothing is said of generated ones
        self.last: tuple[str, Any, bytes] | None = None
        self.done: list[str] = []

    @property
    def now(self) -> session_pb2.Session:
        return self.client.session(self.session)

    def walk(self, steps: int) -> None:
        """That many, or until the session is closed; what they were is told with a failure."""
        kinds = (
            self.do_what_is_allowed,
            self.go_on,
            self.try_what_is_not_allowed,
            self.ask_wrongly,
            self.repeat_the_last_one,
        )
        try:
            for _ in range(steps):
                self.chance.choice(kinds)()
            self.close()
            self.try_what_is_not_allowed()
            self.repeat_the_last_one()
        except Exception as error:
            error.add_note(f"after {'; '.join(self.done)}")
            raise

    def do_what_is_allowed(self) -> None:
        self.do([one for one in self.now.allowed_actions if one != "CloseSession"])

    def go_on(self) -> None:
        """As before, but towards the end, which chance alone would seldom reach."""
        now = self.now
        forward = set(now.allowed_actions) & set(FORWARD[now.state])
        self.do(sorted(forward) or ["ImportSheet"])

    def do(self, actions: Sequence[str]) -> None:
        """One of these, all of them allowed."""
        before = self.now
        action = self.chance.choice(actions)
        request = self.request(action, before, self.chance.choice)
        if request is None:  # ResolveReference where the sheet has no reference: right in state, nothing to name
            return
        request.request_id = f"request-{next(self.ids)}"
        self.done.append(action)
        answer = self.call(action, request)
        self.last = action, request, answer
        after = self.now
        assert after.version >= before.version
        self.check_state(action, request, before, after)

    def try_what_is_not_allowed(self) -> None:
        before = self.now
        others = sorted(ACTIONS.keys() - set(before.allowed_actions))
        if not others:
            return
        action = self.chance.choice(others)
        request = self.request(action, before, lambda options: options[0]) or self.unknown(action)
        self.done.append(f"{action} refused")
        refusal = self.refusal(action, request)
        assert refusal.code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)
        assert self.raw(self.now) == self.raw(before)
        if refusal.code is grpc.StatusCode.FAILED_PRECONDITION:
            assert refusal.metadata["allowedActions"] == ",".join(before.allowed_actions)

    def ask_wrongly(self) -> None:
        before = self.now
        action, request = self.chance.choice(self.wrong_requests(before))
        self.done.append(f"{action} wrongly")
        refusal = self.refusal(action, request)
        assert refusal.reason != "INTERNAL_ERROR"
        assert self.raw(self.now) == self.raw(before)

    def repeat_the_last_one(self) -> None:
        if self.last is None:
            return
        action, request, answer = self.last
        before = self.raw(self.now)
        self.done.append(f"{action} again")
        assert self.call(action, request, repeated=True) == answer
        assert self.raw(self.now) == before

    def close(self) -> None:
        self.done.append("CloseSession")
        self.call("CloseSession", sessions.CloseSessionRequest(session=self.session, outcome=COMPLETED))
        assert not self.now.allowed_actions

    def request(self, action: str, now: session_pb2.Session, choose: Choose) -> Any:
        """A request that is right in itself; None where there is none for this session."""
        session = self.session
        match action:
            case "SetScope":
                return sessions.SetScopeRequest(session=session, entity_type="grower", all=True)
            case "SetTemplate":
                return sessions.SetTemplateRequest(session=session, source=choose(TEMPLATES))
            case "ImportSheet":
                return sheets.ImportSheetRequest(session=session, source=choose(list(SHEETS)))
            case "ResolveReference":
                return self.resolution()
            case "SubmitSheet":
                return submit(session, timeout=TIMEOUT)
            case "ExecuteSheet":
                return execute(session, timeout=TIMEOUT)
            case "PlanSheet":
                return execution_service_pb2.PlanSheetRequest(session=session, timeout=TIMEOUT)
            case "RequestApproval":
                return self.approval(now)
            case "ResetSession":
                to = choose([EMPTY, SCOPED] if now.HasField("scope") else [EMPTY])
                return sessions.ResetSessionRequest(session=session, to=to)
            case "CloseSession":
                return sessions.CloseSessionRequest(session=session, outcome=COMPLETED)
            case "LabelSession":
                return sessions.LabelSessionRequest(session=session, label=choose(["label one", "label two"]))
            case "RenewSession":
                return sessions.RenewSessionRequest(session=session)
            case "UpdateSession":
                return sessions.UpdateSessionRequest(session=session, role=choose(["analyst", "operator"]))
            case "AppendSessionEvents":
                kinds = [sessions.SESSION_ENTRY_KIND_PROMPT, sessions.SESSION_ENTRY_KIND_ALERT]
                entries = [sessions.SessionEntry(kind=choose(kinds), text="a line")]
                return sessions.AppendSessionEventsRequest(session=session, entries=entries)
            case "ClearScope" | "ConfirmIntent" | "UndoSession" | "RedoSession":
                return getattr(sessions, f"{action}Request")(session=session)
            case _:
                return getattr(sheets, f"{action}Request")(session=session)

    def resolution(self) -> Any:
        """The first reference to the first grower; None where the sheet has none."""
        if not self.now.sheet_id:
            return None
        listed = self.client.sheets.ListReferences(sheets.ListReferencesRequest(session=self.session), timeout=SECONDS)
        wanted = [one for one in listed.references if one.entity_type == "grower"]
        if not wanted:
            return None
        one = min(wanted, key=lambda one: one.entity_id)  # an open one first
        return sheets.ResolveReferenceRequest(session=self.session, ref_id=one.ref_id, entity_id="1")

    def approval(self, now: session_pb2.Session) -> Any:
        """An approval of a plan of the sheet; None where it has none that succeeded."""
        asked = execution_service_pb2.ListExecutionsRequest(
            session=self.session, states=[execution_pb2.EXECUTION_STATE_SUCCEEDED]
        )
        listed = self.client.executions.ListExecutions(asked, timeout=SECONDS).executions
        plans = [one.plan_digest for one in listed if one.dry_run and one.sheet_id == now.sheet_id]
        if not plans:
            return None
        return approval_service_pb2.RequestApprovalRequest(session=self.session, plan_digest=plans[0])

    def unknown(self, action: str) -> Any:
        """A request about something that is not there."""
        if action == "RequestApproval":
            return approval_service_pb2.RequestApprovalRequest(session=self.session, plan_digest=NO_PLAN)
        return self.unknown_reference()

    def unknown_reference(self) -> sheets.ResolveReferenceRequest:
        return sheets.ResolveReferenceRequest(session=self.session, ref_id="none", entity_id="1")

    def wrong_requests(self, now: session_pb2.Session) -> list[tuple[str, Any]]:
        """Requests that no state makes right."""
        session = self.session
        stale = now.version + 1
        return [
            ("SetScope", sessions.SetScopeRequest(session=session, entity_type="pear", all=True)),
            (
                "SetScope",
                sessions.SetScopeRequest(session=session, entity_type="grower", entity_ids={"ids": ["99999"]}),
            ),
            (
                "SetScope",
                sessions.SetScopeRequest(session=session, entity_type="grower", filter={"equals": {"code": "?"}}),
            ),
            *(("SetTemplate", sessions.SetTemplateRequest(session=session, source=bad)) for bad in BAD_TEMPLATES),
            ("ImportSheet", sheets.ImportSheetRequest(session=session, source="", expected_version=stale)),
            ("ParseSheet", sheets.ParseSheetRequest(session=session, expected_version=0)),
            ("SubmitSheet", execution_service_pb2.SubmitSheetRequest(session=session)),
            ("ExecuteSheet", execute(session, timeout=Duration(seconds=-1))),
            ("ResolveReference", self.unknown_reference()),
            ("ResetSession", sessions.ResetSessionRequest(session=session, to=session_pb2.SESSION_STATE_READY)),
            ("CloseSession", sessions.CloseSessionRequest(session=session)),
            ("LabelSession", sessions.LabelSessionRequest(session=session, label="012345")),
            ("UpdateSession", sessions.UpdateSessionRequest(session=session)),
            ("AppendSessionEvents", sessions.AppendSessionEventsRequest(session=session)),
        ]

    def call(self, action: str, request: Any, *, repeated: bool = False) -> bytes:
        """The answer's bytes; of a run its id, told once it is over."""
        stub = getattr(self.stub(action), action)
        answer = stub(request, timeout=SECONDS)
        if action == "ExecuteSheet":
            return str(list(answer)[-1].finished.id).encode()
        if action == "SubmitSheet":
            if self.slow and not repeated:
                self.probe_while_it_runs()
            self.client.watch(answer.execution.id)
        if action == "PlanSheet":
            self.client.watch(answer.execution.id)
        return self.raw(answer)

    def probe_while_it_runs(self) -> None:
        """In EXECUTING nothing is allowed. The run is one that takes until its timeout."""
        before = self.now
        assert set(before.allowed_actions) == ANY_TIME | {CANCEL}
        for action in sorted(ACTIONS.keys() - ANY_TIME):
            request = self.request(action, before, lambda options: options[0]) or self.unknown(action)
            refusal = self.refusal(action, request)
            assert (refusal.reason, refusal.metadata["state"]) == ("ACTION_NOT_ALLOWED", "EXECUTING")
        assert self.now.version == before.version

    def refusal(self, action: str, request: Any) -> Refusal:
        """What a call is refused with."""
        try:
            self.call(action, request)
        except grpc.RpcError as error:
            return Refusal(error)
        raise AssertionError(f"{action} was accepted: {request}")

    def stub(self, action: str) -> Any:
        stubs = {
            "SessionService": self.client.sessions,
            "SheetService": self.client.sheets,
            "ExecutionService": self.client.executions,
            "ApprovalService": self.client.approvals,
        }
        return stubs[ACTIONS[action].name]

    def check_state(self, action: str, request: Any, before: session_pb2.Session, after: session_pb2.Session) -> None:
        """Where an accepted command leads."""
        state = session_pb2.SessionState.Name(after.state).removeprefix("SESSION_STATE_")
        self.done[-1] += f" to {state}"
        if action in NEXT:
            source = request.source if action == "ImportSheet" else ""
            self.parses_to, self.slow = SHEETS.get(source, ""), "nap.take" in source
        if action in SUBMITS:
            assert (state, after.version, after.last_execution_id) == (
                "EXECUTED",
                before.version + 2,
                after.last_execution_id,
            )
            return
        assert after.version == before.version + (action != "RenewSession")
        if action == "ParseSheet":
            # What was resolved by hand in an earlier parse of this sheet stays resolved.
            assert state in {self.parses_to or state, "READY" if self.parses_to == "RESOLVING" else state}
        elif action == "ResolveReference":
            assert state == ("READY" if not after.unresolved_count else "RESOLVING")
        elif action in ANY_TIME | ABOUT_A_PLAN:
            assert after.state == before.state
        elif action in UNDOS:
            self.parses_to, self.slow = "", False
            assert UNDOS[action] in after.allowed_actions
        elif action == "ResetSession":
            assert after.state == request.to
        else:
            assert state == NEXT[action]

    @staticmethod
    def raw(message: Any) -> bytes:
        return bytes(message.SerializeToString(deterministic=True))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("actions")
    with serve(orchard(folder), ORCHARD) as (_, served):
        growers = '(grower.ensure :code "root" :name "Root") (grower.ensure :code "root-2" :name "Root")'
        served.run(f'{growers} (grower.ensure :code "trunk" :name "Trunk")')
        yield served


@pytest.mark.parametrize("seed", range(40))
def test_allowed_actions_are_the_truth(client: Client, seed: int) -> None:
    Caller(client, random.Random(seed)).walk(40)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40, 1000))
def test_so_they_are_on_any_walk(client: Client, seed: int) -> None:
    Caller(client, random.Random(seed)).walk(40)
