"""Writes a document in another spelling: one that means the same, or one that is hardly GraphQL any more."""

from random import Random

from graphql import Lexer, Source, TokenKind

BLANKS = [" ", "  ", "\n", "\r\n", "\t", ",", " , ", ",,", "\ufeff", ' # no {comment} 010 "\n', "#\n"]
NUMBERS = [
    "0{}",
    "00{}",
    "-0{}",
    "{}x",
    "{}_",
    "{}.",
    "{}.0",
    "{}.0.0",
    "{}e0",
    "{}e",
    "0x{}",
    "+{}",
    "-{}",
    "{}\u00e9",
]
TEXTS = ['{}"', '"{}', '""{}', "{}x", '""{}""', "'{}'"]
NUMERIC = (TokenKind.INT, TokenKind.FLOAT)


def respelled(text: str, random: Random) -> str:
    """Other blanks between the tokens, and at times another form of a number or a text."""
    return _respelled(text, random, odd=0.0)


def misspelled(text: str, random: Random) -> str:
    """The same, where blanks may be missing too, and numbers and texts have any form."""
    return _respelled(text, random, odd=0.15)


def _respelled(text: str, random: Random, odd: float) -> str:
    lexer = Lexer(Source(text))
    parts = []
    end = 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        between = text[end : token.start]
        written = text[token.start : token.end]
        if random.random() < 0.15:
            between = random.choice(BLANKS) if not between or random.random() < 0.7 else between * 2
        elif between and random.random() < odd / 10:
            between = ""
        if random.random() < odd:
            if token.kind in NUMERIC:
                written = random.choice(NUMBERS).format(written)
            elif token.kind is TokenKind.STRING:
                written = random.choice(TEXTS).replace("{}", written)
        parts += [between, written]
        end = token.end
    return "".join(parts) + random.choice(["", "", "\n", "# end", "#"])
