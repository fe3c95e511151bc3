"""Lifts literals out of a document: what differs only in its values is one document with parameters.

The text is cut into tokens by one expression, and each literal in it leaves a mark; what remains is
the document's shape. The shape is parsed and validated once, with the literals of whoever came first.
Each literal that is an argument, or part of one, then becomes a variable, and whoever comes later with
the same shape only brings values. A literal that stands elsewhere (in a directive, as a default) is
part of what the document is known by.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FloatValueNode,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    IntValueNode,
    NameNode,
    Node,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_nullable_type,
    parse_const_value,
    visit,
)
from graphql.language.visitor import SKIP

PREFIX = "lifted_"
_TOKEN = re.compile(
    r'(?P<block>"""(?:\\"""|(?!""").)*""")'
    r'|(?P<string>""(?!")|"(?:[^"\\\n\r]|\\.)+")'
    r"|(?P<comment>#[^\n\r]*)"
    r"|(?P<name>[_A-Za-z][_0-9A-Za-z]*)"
    r"|(?P<float>-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)(?![\w.]))"
    r"|(?P<int>-?(?:0|[1-9]\d*)(?![\w.]))"
    r"|(?P<odd>-?\d[\w.]*)",
    re.DOTALL | re.ASCII,
)
"""A number as the specification has it. One that is odd, like 010 or 5x, stays in the shape as it is written:
no document with it is valid, so its shape must not be that of one which is."""
_MARKS = {"block": "\0s", "string": "\0s", "float": "\0f", "int": "\0i"}


class Token(NamedTuple):
    """One literal as it is written, and where."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True)
class Shape:
    """A document's text with a mark for each literal, and the literals in their order."""

    text: str
    tokens: tuple[Token, ...]


class Slot(NamedTuple):
    """A variable that stands for a literal: which one, and the scalar that it is read as."""

    name: str
    place: int
    """Which of the shape's literals."""
    scalar: GraphQLScalarType


def shape_of(text: str) -> Shape:
    """The shape of a document. The text must hold no NUL: marks begin with one."""
    tokens: list[Token] = []

    def mark(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind in ("name", "odd"):
            return match[0]
        if kind == "comment":
            return " "
        assert kind is not None
        tokens.append(Token(kind, match[0], match.start()))
        return _MARKS[kind]

    shape = _TOKEN.sub(mark, text)
    return Shape(shape, tuple(tokens))


def lifted(schema: GraphQLSchema, document: DocumentNode, shape: Shape) -> tuple[DocumentNode, list[Slot]]:
    """The document with variables for its literals, as far as they can be lifted.

    The document must be valid, and parsed from the text of the shape.
    """
    if PREFIX in shape.text:
        return document, []
    info = TypeInfo(schema)
    lifting = _Lifting(info, {token.start: index for index, token in enumerate(shape.tokens)})
    changed: DocumentNode = visit(document, TypeInfoVisitor(info, lifting))
    return changed, lifting.slots


class _Lifting(Visitor):
    def __init__(self, info: TypeInfo, places: dict[int, int]) -> None:
        super().__init__()
        self.slots: list[Slot] = []
        self._info = info
        self._places = places

    def enter_variable_definition(self, *_: Any) -> Any:
        return SKIP

    def enter_directive(self, *_: Any) -> Any:
        return SKIP

    def enter_int_value(self, node: IntValueNode, *_: Any) -> Any:
        return self._lift(node)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> Any:
        return self._lift(node)

    def enter_string_value(self, node: StringValueNode, *_: Any) -> Any:
        return self._lift(node)

    def _lift(self, node: Node) -> VariableNode | None:
        scalar = get_nullable_type(self._info.get_input_type())
        index = self._places.get(node.loc.start) if node.loc else None
        if index is None or not isinstance(scalar, GraphQLScalarType):
            return None  # it stays, for instance as a list of one
        slot = Slot(f"{PREFIX}{index}", index, scalar)
        self.slots.append(slot)
        return VariableNode(name=NameNode(value=slot.name))


def value_of(token: Token, scalar: GraphQLScalarType) -> Any:
    """What a literal means to a scalar, just as graphql-core reads it.

    Raises:
        Exception: it means nothing to it.
    """
    kind, text, _ = token
    if kind == "int":
        if scalar is GraphQLInt and len(text) < 10:
            return int(text)
    elif kind == "string" and scalar in (GraphQLString, GraphQLID) and _is_plain(text):
        return text[1:-1]
    node = parse_const_value(text)
    if scalar.coerce_input_literal is not None:
        return scalar.coerce_input_literal(node)
    return scalar.parse_literal(node)


def _is_plain(text: str) -> bool:
    return "\\" not in text and text.isprintable()


def size_of(token: Token) -> int | None:
    """The whole number that a literal is, if it is one: what the limits look at."""
    return int(token.text) if token.kind == "int" and len(token.text) < 12 else None
