"""What a line of text must be to be stored, and what an e-mail address looks like.

Each check returns the value to store, or refuses it in words that never quote it: what was given may
be personal data.
"""

import re

from domain.errors import Invalid, Required

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL cannot store NUL, and UTF-8 has no lone surrogates."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def text(value: str, field: str, longest: int) -> str:
    """One line or more of text, without the space around it."""
    value = value.strip()
    named = field.rpartition(".")[2]
    if not value:
        raise Required(f"{named} is empty", field=field)
    if len(value) > longest:
        raise Invalid(f"{named} has at most {longest} characters", field=field)
    if UNSTORABLE.search(value):
        raise Invalid(f"{named} has a character that cannot be stored", field=field)
    return value


def email(value: str, field: str = "email") -> str:
    value = text(value, field, 254)
    if not _EMAIL.fullmatch(value):
        raise Invalid(f"{field.rpartition('.')[2]} is not an e-mail address", field=field)
    return value
