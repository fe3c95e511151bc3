"""Money is whole minor units of a currency; this says how many of them make one main unit."""

from decimal import Decimal

_EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3, "TND": 3}


def exponent(currency: str) -> int:
    """Digits after the point (ISO 4217); two, unless the currency is known to have others."""
    return _EXPONENTS.get(currency, 2)


def amount(minor: int, currency: str) -> Decimal:
    """Minor units as an amount in the main unit."""
    return Decimal(minor).scaleb(-exponent(currency))


def shown(minor: int, currency: str) -> str:
    """Minor units as people read them, such as `CNY 10,000.00`."""
    return f"{currency} {amount(minor, currency):,}"
