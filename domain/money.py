"""Money is whole minor units of a currency; this says which there are, and how many make one main unit."""

from decimal import Decimal

_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
          CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
          HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT
          MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB
          SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
          USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
CURRENCIES = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
"""By ISO 4217 code, the digits after the point of every currency that people are paid in.

Metals, funds and codes for testing are left out, and so are currencies that have been withdrawn.
"""


def exponent(currency: str) -> int:
    """Digits after the point (ISO 4217); two where the currency is not known."""
    return CURRENCIES.get(currency, 2)


def amount(minor: int, currency: str) -> Decimal:
    """Minor units as an amount in the main unit."""
    return Decimal(minor).scaleb(-exponent(currency))


def shown(minor: int, currency: str) -> str:
    """Minor units as people read them, such as `CNY 10,000.00`."""
    return f"{currency} {amount(minor, currency):,}"
