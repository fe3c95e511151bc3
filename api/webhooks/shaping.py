"""Makes messages: what a document answers about one change, to the principal that a webhook is."""

from contextlib import aclosing
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
)
from strawberry.schema import BaseSchema
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType as Kind

from api import live
from api.context import Context
from api.edge.answers import MAX_ERRORS, settled
from api.ids import global_id
from domain import db, tasks
from domain.access import Principal
from domain.errors import Invalid
from domain.journal import JournalLine

MOST_TOKENS = 2_000
NOTHING = JournalLine(name="", subject="", subject_id=0, workspace_id=0, position=0, data={})
"""A line about nothing: with it a document is tried out."""


class Shaping:
    """The shaper of messages over one schema."""

    def __init__(self, schema: BaseSchema) -> None:
        self._schema = schema

    async def check(self, who: Principal, document: str) -> None:
        """Try a document out on nothing.

        Raises:
            Invalid: it cannot be read, is not one query or subscription, or is refused to this principal.
        """
        try:
            parsed = parse(document, max_tokens=MOST_TOKENS)
        except (GraphQLError, RecursionError) as error:
            at = getattr(error, "locations", None)
            where = f" at {at[0].line}:{at[0].column}" if at else ""
            raise Invalid(f"document cannot be read{where}", field="document") from None
        operation = _operation(parsed)
        if operation is None or operation.operation is OperationType.MUTATION:
            raise Invalid("document holds one query or one subscription", field="document")
        answer = await self._asked(who, document, operation, NOTHING, _sample(who))
        if answer is not None and answer.errors:
            raise Invalid(f"document: {answer.errors[0].message}", field="document")

    async def shape(self, who: Principal, document: str | None, line: JournalLine) -> dict[str, Any] | None:
        with db.within(who.workspace_id):
            if not await tasks.told(who, [line]):
                return None
        message: dict[str, Any] = {
            "type": line.name,
            "timestamp": line.at.isoformat(),
            "cursor": live.cursor(line),
        }
        if document is None:
            return message | {"data": {"subject": line.subject, "id": live.object_id(line)}}
        operation = _operation(parse(document, max_tokens=MOST_TOKENS))
        assert operation is not None, "it was checked when it was given"
        answer = await self._asked(who, document, operation, line, live.object_id(line))
        if answer is None:
            return None
        message["data"] = answer.data
        if answer.errors:
            message["errors"] = [error.formatted for error in answer.errors[:MAX_ERRORS]]
        return message

    async def _asked(
        self,
        who: Principal,
        document: str,
        operation: OperationDefinitionNode,
        line: JournalLine,
        id_: str | None,
    ) -> ExecutionResult | None:
        """What a document answers about a line; none where its subscription leaves it out."""
        context = Context(who, line=line)
        with db.within(who.workspace_id):
            if operation.operation is OperationType.QUERY:
                known = {"id": id_, "change": line.name, "cursor": live.cursor(line)}
                declared = {each.variable.name.value for each in operation.variable_definitions or ()}
                result = await self._schema.execute(
                    document,
                    variable_values={name: value for name, value in known.items() if name in declared},
                    context_value=context,
                    allowed_operation_types={Kind.QUERY},
                )
                assert isinstance(result, ExecutionResult)
                return result
            stream = settled(lambda: self._schema.stream(document, context_value=context))
            async with aclosing(stream) as results:
                return await anext(results, None)


def _operation(document: DocumentNode) -> OperationDefinitionNode | None:
    """The only operation of a document; none where it has several, or none."""
    found = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return found[0] if len(found) == 1 else None


def _sample(who: Principal) -> str | None:
    """An id of nothing, of a type that this principal is told of.

    None where one of its topics is about what is no object: there a document has to do without an id.
    """
    subjects = [subject for name in live.TOPICS if name in who.topics for subject in live.TOPICS[name]]
    if not subjects or not live.TYPES.keys() >= set(subjects):
        return None
    return global_id(live.TYPES[subjects[0]], 0)
