"""What a client asks for over HTTP, read strictly: anything odd is answered here, not by a resolver."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.requests import Request

from api.limits import limited

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

_ANY_JSON = (JSON, GRAPHQL_JSON, "application/*", "*/*")
_TOKENS_READ = 2_000


class Refused(Exception):
    """A request that is answered before GraphQL sees it."""

    def __init__(
        self, status: int, why: str | GraphQLError, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(why))
        self.status = status
        self.why = why
        self.headers = headers


@dataclass(frozen=True)
class Asked:
    """The parameters of one GraphQL request, each of the right type."""

    query: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None
    resume: str | None = None
    """The last event that a browser has seen of a stream it comes back to."""
    document_id: str | None = None


def decode(data: str | bytes) -> object:
    """Strict JSON: UTF-8, finite numbers, integers of 64 bits, nesting that fits. ValueError otherwise."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def read(request: Request) -> Asked:
    """The request's parameters; `Refused` when they are not what the specification asks for."""
    if request.method == "GET":
        values: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if values.get(name):
                values[name] = _decoded(values[name], f"The parameter {name} is not valid JSON.")
        return _asked({name: value for name, value in values.items() if value != ""})
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if media.strip().lower() != JSON or charset not in ("", "utf-8"):
        raise Refused(415, f"The body has to be {JSON} in UTF-8.")
    body = _decoded(await request.body(), "The body is not valid JSON.")
    if isinstance(body, list) and len(body) > 1:
        raise Refused(400, limited("The operations of one request", "batch", 1, len(body)))
    if not isinstance(body, dict):
        raise Refused(400, "The body has to be a JSON object.")
    return _asked(body)


@lru_cache(maxsize=64)
def accepted(header: str) -> Mapping[str, float]:
    """The media types of an Accept header that the client will take, with their quality."""
    types: dict[str, float] = {}
    for part in header.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            types[media] = float(quality)
        except ValueError:
            types[media] = 1.0
    return MappingProxyType({media: quality for media, quality in types.items() if quality > 0})


def answer_type(types: Mapping[str, float]) -> str:
    """The media type of a JSON answer; the newer one only for a client that names it."""
    if GRAPHQL_JSON in types and types[GRAPHQL_JSON] >= types.get(JSON, 0):
        return GRAPHQL_JSON
    return JSON


def wants_stream(types: Mapping[str, float], asked: Asked) -> bool:
    """Whether the answer is an event stream.

    urql lists `text/event-stream` last with every query, so JSON comes first: a client that takes
    both gets a stream for a subscription only.
    """
    if EVENT_STREAM not in types:
        return False
    if not any(media in types for media in _ANY_JSON):
        return True
    return _is_subscription(asked)


def _is_subscription(asked: Asked) -> bool:
    if "subscription" not in (asked.query or ""):
        return False
    try:
        document = parse(asked.query or "", max_tokens=_TOKENS_READ)
    except GraphQLError:
        return False
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode) and (
            asked.operation_name is None
            or (definition.name and definition.name.value == asked.operation_name)
        ):
            return definition.operation is OperationType.SUBSCRIPTION
    return False


def _asked(values: Mapping[str, Any]) -> Asked:
    for name, kind, said in (
        ("query", str, "a string"),
        ("operationName", str, "a string"),
        ("documentId", str, "a string"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
    ):
        if not isinstance(values.get(name), kind | None):
            raise Refused(400, f"{name} has to be {said}.")
    return Asked(
        values.get("query"),
        values.get("variables"),
        values.get("operationName"),
        values.get("extensions"),
        document_id=values.get("documentId"),
    )


def _decoded(data: str | bytes, complaint: str) -> object:
    try:
        return decode(data)
    except ValueError:
        raise Refused(400, complaint) from None


def _integer(text: str) -> int:
    # The length first: turning a long run of digits into an int takes quadratic time.
    if len(text) > 20 or not -(2**63) <= (value := int(text)) < 2**64:
        raise ValueError("an integer of more than 64 bits")
    return value


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number that is not finite")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=_constant)
