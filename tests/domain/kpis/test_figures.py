"""Months, numbers and cells: what a report writes, to the last digit."""

import csv
import io
import itertools
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from domain import money
from domain.kpis import tables, trend, wording
from domain.kpis.charts import nice_ticks
from domain.language import Language
from domain.timekeeping import TICK
from tests.conftest import NOON, House, build_house
from tests.domain.kpis import scene
from tests.domain.kpis.scene import SHANGHAI, local


async def test_months_begin_at_midnight_of_the_workspace(house: House) -> None:
    (customer,) = await scene.customers(house.id, 1)
    other = await build_house("Other")
    (stranger,) = await scene.customers(other.id, 1)
    february, march = local(2025, 2, 1, 0), local(2025, 3, 1, 0)
    first = local(2023, 4, 1, 0)
    await scene.orders(
        house.id, [(customer, at) for at in (first - TICK, first, february, march - TICK, march)]
    )
    await scene.orders(house.id, [(customer, NOON), (customer, NOON + TICK)], amount_minor=5)
    await scene.orders(house.id, [(customer, NOON)], status="REFUNDED")
    await scene.orders(house.id, [(customer, NOON)], currency="USD")
    await scene.orders(other.id, [(stranger, NOON)])
    months = await trend.by_month(house.id, "CNY", NOON, SHANGHAI)
    assert [month.first for month in (months[0], months[-1])] == [date(2023, 4, 1), date(2025, 3, 1)]
    assert {m.first: (m.orders, m.revenue_minor) for m in months if m.orders} == {
        date(2023, 4, 1): (1, 10_000),
        date(2025, 2, 1): (2, 20_000),
        date(2025, 3, 1): (2, 10_005),
    }
    assert len(months) == 24


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "＝1", "＋1", "－1", "＠x", " =1", "\u3000=1",
        "'=1", '"=1', "\ufeff=1", "=cmd|' /C calc'!A0", "a\n=1", "a\r\nb", "a\0b", "\u2028=1",
    ],
)  # fmt: skip
def test_no_cell_and_no_header_is_a_formula(cell: str) -> None:
    text = tables.render([cell], [[cell]]).decode("utf-8-sig")
    assert len(text.split("\r\n")) == 3
    for row in csv.reader(io.StringIO(text)):
        assert row[0].startswith("'")
        assert not set(row[0]) & set("\0\t\r\n\u2028")


def test_numbers_stay_numbers_and_text_stays_itself() -> None:
    sheet = tables.render(["名称", "n"], [['Ä, "b" 5-3=2', -5], ["", Decimal("-0.005")], [None, 1]])
    assert sheet == '\ufeff"名称","n"\r\n"Ä, ""b"" 5-3=2",-5\r\n"",-0.005\r\n"",1\r\n'.encode()


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        (Fraction(190, 200), None, "95.0%"),
        (Fraction(189, 200), Fraction(95, 100), "94.5%"),
        (Fraction(1, 3), None, "33.3%"),
        (Fraction(5, 10000), None, "0.1%"),
        (Fraction(9496, 10000), Fraction(95, 100), "94.96%"),
        (Fraction(95, 100), Fraction(95, 100), "95.0%"),
        (Fraction(1), None, "100.0%"),
    ],
)
def test_a_missed_target_never_looks_met(value: Fraction, beside: Fraction | None, text: str) -> None:
    assert wording.percent(value, beside) == text


def test_numbers_are_written_as_each_language_writes_them() -> None:
    assert [wording.signed(Fraction(n, 1000)) for n in (-5, 0, 45)] == ["−0.5", "±0.0", "+4.5"]
    assert [wording.axis(4e6, Language.EN)(n) for n in (0, 5e5, 4e6)] == ["0", "0.5m", "4m"]
    assert [wording.axis(4e6, Language.ZH_CN)(n) for n in (0, 5e5, 4e6)] == ["0", "50万", "400万"]
    assert wording.month(date(2025, 3, 1), Language.EN) == "Mar 2025"
    assert wording.month(date(2025, 3, 1), Language.ZH_CN) == "2025年3月"
    assert (money.amount(123_450, "CNY"), money.amount(1200, "JPY")) == (
        Decimal("1234.50"),
        Decimal(1200),
    )


@pytest.mark.parametrize("largest", [0, 1, 3, 7, 10, 99, 100, 101, 9_042, 3_213_920.25, 1e12])
def test_ticks_are_few_round_and_reach_the_largest_value(largest: float) -> None:
    ticks = nice_ticks(largest)
    assert ticks[0] == 0 and ticks[-1] >= largest and 2 <= len(ticks) <= 7
    assert len({b - a for a, b in itertools.pairwise(ticks)}) == 1
