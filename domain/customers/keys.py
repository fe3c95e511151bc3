"""By what two spellings of a name, a telephone number or an e-mail address are the same.

The databases themselves derive what is compared. They must store it: to PostgreSQL's row-level security an
index on an expression is of no use, because the functions in it might give rows away.
"""

_BETWEEN_DIGITS = " ()./#x+-"


def _digits(column: str) -> str:
    """The digits alone, without zeros in front: 00 is another way to write +, and 0 stands for no country."""
    bare = column
    for character in _BETWEEN_DIGITS:
        bare = f"replace({bare}, '{character}', '')"
    return f"ltrim({bare}, '0')"


def _phone(column: str) -> str:
    """A mobile number of mainland China is the same with its country's 86 and without (11 digits from 1)."""
    digits = _digits(column)
    return (
        f"CASE WHEN length({digits}) = 13 AND substr({digits}, 1, 3) = '861' "
        f"THEN substr({digits}, 3) ELSE {digits} END"
    )


FORMS = {
    "email_form": "lower(email)",
    "external_form": "lower(external_id)",
    "name_form": "lower(name)",
    "phone_form": _phone("phone"),
}
"""The columns that hold what is compared, and how each is made of the one that holds what was given."""
