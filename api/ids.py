"""Opaque global ids: the name of a type and the id of a row, so that any object can be fetched again."""

import base64
import binascii
from collections.abc import Iterable

from domain.errors import NotFound

_LARGEST = 2**63 - 1


def global_id(kind: str, row_id: int) -> str:
    (made,) = global_ids(kind, (row_id,))
    return made


def global_ids(kind: str, row_ids: Iterable[int]) -> list[str]:
    """The ids of many rows of one type."""
    # Letters, digits and a colon never make one of the two characters that need another form in an address.
    start = f"{kind}:".encode()
    return [
        binascii.b2a_base64(b"%b%d" % (start, row_id), newline=False).decode().rstrip("=")
        for row_id in row_ids
    ]


def parse(value: str) -> tuple[str, int] | None:
    """The type and row of a global id; none when it is not one."""
    if len(value) > 128 or not value.isascii():
        return None
    try:
        kind, _, row = (
            base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii").partition(":")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if not row.isdigit() or int(row) > _LARGEST:
        return None
    return kind, int(row)


def row_id(kind: str, value: str, field: str = "id") -> int:
    """The row of a global id that must be of this type.

    Raises:
        NotFound: it is not; the answer is the same as for a row that does not exist.
    """
    parsed = parse(value)
    if parsed is None or parsed[0] != kind:
        raise NotFound(f"no such {kind.lower()}", field=field)
    return parsed[1]


def row_or_nothing(kind: str, value: str) -> int:
    """The row of a global id, or an id that no row has, for an action that looks for the row itself.

    So an id of nonsense is answered as one that never was, and beside whatever else is wrong.
    """
    parsed = parse(value)
    return parsed[1] if parsed is not None and parsed[0] == kind else 0
