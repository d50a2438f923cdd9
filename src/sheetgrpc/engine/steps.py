"""The changing calls about a session, its scope and its intent, each as a step of the one handler."""

from collections.abc import Sequence

from sheetgrpc.catalog.model import Entity, KeyType
from sheetgrpc.clock import Draw
from sheetgrpc.engine import intents
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.views import Outcome
from sheetgrpc.errors import InvalidRequest, NotFound, Reason, invalid_field, limit_exceeded
from sheetgrpc.planning.expand import TemplateFault, check_template
from sheetgrpc.planning.model import Key
from sheetgrpc.planning.values import is_uuid
from sheetgrpc.session import commands
from sheetgrpc.session.machine import decide
from sheetgrpc.session.model import Scope, Session
from sheetgrpc.store.records import Changes, EventRow, ScopeRow, SessionRow, SymbolChange

_NO_DRAW = Draw(now=0, id="", seed=0)


class Simple:
    """A step with nothing to prepare: the machine's command is known at once."""

    label = ""
    fresh = False
    additive = False
    brief = True

    def __init_subclass__(cls) -> None:
        """A step that prepares in a way of its own may take long about it."""
        cls.brief = cls.prepare is Simple.prepare

    def __init__(self, context: Context, command: commands.Command) -> None:
        self.context = context
        self._command = command

    async def prepare(self, row: SessionRow | None) -> None:
        """A refusal that is already plain does not wait for the writer."""
        if row is not None and not self.context.store.idle:
            self.refuse_early(row.session, self._command)

    def command(self, draw: Draw) -> commands.Command:  # noqa: ARG002  # the step's form
        """The command as it was asked."""
        return self._command

    def following(self, draw: Draw) -> tuple[commands.Command, ...]:  # noqa: ARG002  # the step's form
        """Nothing more."""
        return ()

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """Nothing beside the session."""

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:  # noqa: ARG002  # the step's form
        """The session."""
        return Outcome(self.context.view(row))

    def woken(self, changes: Changes) -> None:
        """Nobody waits for it."""

    def refuse_early(self, session: Session, command: commands.Command) -> None:
        """Raises what the machine would raise, if the session stays as it is."""
        decide(session, command, _NO_DRAW, catalog_digest=self.context.catalog.digest)


class CreateSession(Simple):
    """Makes a session, which is its creator's."""

    fresh = True

    def __init__(self, context: Context, intent: intents.CreateSession, owner: str) -> None:
        command = commands.CreateSession(
            name=intent.name,
            client=intent.client,
            role=intent.role,
            task_id=intent.task_id,
            metadata=dict(intent.metadata),
            labels=intent.labels,
            lease=intent.lease,
            owner=owner,
        )
        super().__init__(context, command)


class SetScope(Simple):
    """Finds the entities and takes their keys as a snapshot."""

    def __init__(self, context: Context, intent: intents.SetScope) -> None:
        super().__init__(context, commands.ClearScope())
        self._intent = intent
        self._keys: Sequence[Key] = ()

    async def prepare(self, row: SessionRow | None) -> None:
        """Looks the entities up."""
        if row is not None:
            probe = Scope(id="", entity_type=self._intent.entity_type, entity_count=1, source="")
            self.refuse_early(row.session, commands.SetScope(scope=probe))
        entity = self.context.catalog.entities.get(self._intent.entity_type)
        if entity is None:
            known = ", ".join(sorted(self.context.catalog.entities))
            raise invalid_field("entity_type", f'"{self._intent.entity_type}" is none of {known}')
        self._keys = await self._select(entity)

    def command(self, draw: Draw) -> commands.Command:
        """The snapshot, under the draw's id."""
        return commands.SetScope(scope=Scope(draw.id, self._intent.entity_type, len(self._keys), self._source()))

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The snapshot's row."""
        changes.scope = ScopeRow(draw.id, session.id, self._intent.entity_type, self._source(), self._keys)

    def _source(self) -> str:
        intent = self._intent
        if intent.entity_ids is not None:
            return f"ids({len(intent.entity_ids)})"
        if intent.equals is not None:
            return "filter(" + ", ".join(f"{name}={text}" for name, text in sorted(intent.equals.items())) + ")"
        return "all"

    async def _select(self, entity: Entity) -> Sequence[Key]:
        intent = self._intent
        limit = self.context.settings.max_scope_entities
        if intent.entity_ids is not None:
            if len(intent.entity_ids) > limit:
                raise limit_exceeded("scope entities", limit=limit, actual=len(intent.entity_ids))
            return await self._by_ids(entity, intent.entity_ids)
        for name in intent.equals or {}:
            if name not in filter_columns(self.context, entity):
                known = ", ".join(sorted(filter_columns(self.context, entity)))
                raise invalid_field("filter.equals", f'"{name}" is no column of {entity.name}; it has {known}')
        keys = await self.context.store.keys(entity, intent.equals or {}, limit + 1)
        if len(keys) > limit:
            raise limit_exceeded("scope entities", limit=limit, actual=len(keys))
        return keys

    async def _by_ids(self, entity: Entity, texts: Sequence[str]) -> Sequence[Key]:
        keys = list(dict.fromkeys(read_key(entity, text, "entity_ids.ids") for text in texts))
        there = await self.context.store.existing(entity, keys)
        missing = [str(key) for key in keys if key not in there]
        if missing:
            shown = ", ".join(f'"{key}"' for key in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise NotFound(
                Reason.ENTITY_NOT_FOUND,
                f"no {entity.name} has the key {shown}{more}",
                metadata={"entityType": entity.name, "missing": str(len(missing))},
                resource=(entity.name, missing[0]),
            )
        return keys


class SetTemplate(Simple):
    """Takes a template that parses and uses its placeholder."""

    def __init__(self, context: Context, intent: intents.SetTemplate) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._intent = intent
        self._target = intent.target_entity_type

    async def prepare(self, row: SessionRow | None) -> None:
        """Checks the text."""
        if row is None:
            return
        scope = row.session.scope
        self._target = self._intent.target_entity_type or (scope.entity_type if scope is not None else "")
        limit = self.context.settings.max_source_bytes
        if len(self._intent.source.encode()) > limit:
            raise limit_exceeded("bytes of template", limit=limit, actual=len(self._intent.source.encode()))
        self.refuse_early(row.session, self.command(_NO_DRAW))
        try:
            check_template(self._intent.source, self._target, self.context.catalog)
        except TemplateFault as fault:
            raise InvalidRequest(Reason.INVALID_TEMPLATE, str(fault)) from fault

    def command(self, draw: Draw) -> commands.Command:  # noqa: ARG002  # the step's form
        """The template."""
        return commands.SetTemplate(source=self._intent.source, target_entity_type=self._target)


class LabelSession(Simple):
    """Gives the session a label; the handler takes it from whoever has it."""

    additive = True

    def __init__(self, context: Context, intent: intents.LabelSession) -> None:
        super().__init__(context, commands.LabelSession(label=intent.label))
        self.label = intent.label


class AppendSessionEvents(Simple):
    """Records lines, and answers with their places in the log: after whatever was first, however many record."""

    additive = True

    def __init__(self, context: Context, intent: intents.AppendSessionEvents) -> None:
        super().__init__(context, commands.AppendSessionEvents(entries=intent.entries))

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and what was recorded."""
        first = row.session.version - len(changes.events) + 1
        events = tuple(EventRow(sequence, event) for sequence, event in enumerate(changes.events, first))
        return Outcome(self.context.view(row), events=events)


class ResetSession(Simple):
    """Takes layers away; with EMPTY the committed symbols go too."""

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """What is kept of the symbols beside the session."""
        if not session.committed:
            changes.symbols = SymbolChange(0, ())


def read_key(entity: Entity, text: str, field: str) -> Key:
    """A key as the wire carries it; InvalidRequest if it has not the form of this entity's keys."""
    form = entity.key.type.value
    if entity.key.type is KeyType.UUID and is_uuid(text):
        return text.lower()
    if entity.key.type is KeyType.INTEGER and text.removeprefix("-").isdigit() and text.isascii() and len(text) < 20:
        return int(text)
    if entity.key.type is KeyType.STRING and text:
        return text
    raise invalid_field(field, f'"{text[:60]}" is not a key of {entity.name}, which is of type {form}')


def filter_columns(context: Context, entity: Entity) -> frozenset[str]:
    """The columns of an entity's table that the catalog names."""
    named = {entity.key.column, *entity.search, *entity.natural_key}
    if entity.display is not None:
        named.add(entity.display)
    for verb in context.catalog.verbs.values():
        if verb.table == entity.table:
            named.update(argument.column for argument in verb.arguments if argument.column is not None)
    return frozenset(named)
