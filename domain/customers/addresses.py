"""Telephone numbers and e-mail addresses, checked and in one spelling, as imports take them."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from domain import texts
from domain.errors import Invalid

_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_]+([.+-][A-Za-z0-9_]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+(?!(arpa|invalid|local|localhost|onion)$)[a-z]{2,24}"
)
"""What the library takes as it is: most addresses, at a tenth of the time."""


@cache
def region(zone: str) -> str | None:
    """The country in which a zone's clock is kept, as ISO 3166 has it; none for a zone of no country."""
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text().splitlines():
        if not line.startswith("#") and line.split("\t")[2] == zone:
            return line.split("\t")[0]
    return None


def phone_in(country: str | None) -> Callable[[str, str], str]:
    """Makes `+8613800000000` of however a number of that country, or an international one, is written.

    A number is refused that nobody can have there: too short, too long, of no such area or network.
    """

    def parse(cell: str, column: str) -> str:
        text = texts.text(cell, column, 40)
        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            where = f" in {country}, nor an international one" if country else " with its country's code"
            raise Invalid(f"{column} is not a telephone number{where}", field=column)
        spelt = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return f"{spelt}x{number.extension}" if number.extension else spelt

    return parse


def email(cell: str, column: str) -> str:
    """An address by the rules of mail, its domain in lower case; nobody is asked whether it is there."""
    text = texts.text(cell, column, 254)
    if len(text) <= 64 and _PLAIN_EMAIL.fullmatch(text):
        return text
    try:
        # Names such as care.test, which are kept for tests, are taken: imports are rehearsed with them.
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Invalid(f"{column} is not an e-mail address", field=column) from None
    return found.normalized
