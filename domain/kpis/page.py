"""A report as one page of HTML that needs nothing else: no network, no script."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from html import escape

from domain import money, timekeeping
from domain.kpis import charts, heatmap, wording
from domain.kpis.catalogue import KpiDefinition
from domain.kpis.facts import Facts
from domain.kpis.models import Comparator
from domain.kpis.standing import Kpi, KpiStatus
from domain.kpis.style import CSS
from domain.language import Language

_TAGS = {Language.EN: "en", Language.ZH_CN: "zh-CN"}


def render(facts: Facts) -> str:
    """The whole page. The same facts make the same page, byte for byte."""
    t = facts.language
    sections = (_kpi_cards, _kpi_table, heatmap.matrix, _tiers, _trend, _definitions)
    return (
        f'<!DOCTYPE html>\n<html lang="{_TAGS[t]}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(facts.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{_header(facts)}\n"
        + "\n".join(section(facts) for section in sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def _header(facts: Facts) -> str:
    t = facts.language
    zone = escape(str(facts.tz))
    groups = facts.census.freshness.latest
    fresh = [
        f"{wording.AS_OF(t)} {_time(facts, facts.as_of)} ({zone})",
        f"{wording.GROUPS_OF(t)} {_time(facts, groups.as_of)}" if groups else wording.NO_GROUPS(t),
        f"{wording.MEASURED(t)} {_time(facts, facts.computed_at)}",
        f"{wording.RUN(t)} {facts.run_id}",
    ]
    tally = {status: sum(kpi.status is status for kpi in facts.kpis) for status in KpiStatus}
    chips = "".join(
        f"<li>{_status(status, facts, f' {count}')}</li>" for status, count in tally.items() if count
    )
    return (
        f'<header>\n<p class="house">{escape(facts.workspace)}</p>\n<h1>{escape(facts.title)}</h1>\n'
        f'<p class="fresh">{"".join(f"<span>{part}</span>" for part in fresh)}</p>\n</header>\n'
        f'<ul class="tally">{chips}</ul>'
    )


def _time(facts: Facts, at: datetime) -> str:
    shown = wording.instant(at, facts.tz, facts.language)
    return f'<time datetime="{at.astimezone(facts.tz).isoformat()}">{shown}</time>'


def _status(status: KpiStatus, facts: Facts, more: str = "") -> str:
    return f'<span class="status {status.value}">{wording.STATUSES[status](facts.language)}{more}</span>'


def _value(kpi: Kpi, facts: Facts) -> str:
    """The value, exact to six places in the mark-up and rounded to the eye."""
    if kpi.exact is None:
        return f'<span class="none">{wording.NOTHING(facts.language)}</span>'
    shown = wording.percent(kpi.exact, Fraction(kpi.target))
    return f'<data class="{kpi.code}" value="{kpi.value}">{shown}</data>'


def _target(kpi: Kpi) -> str:
    sign = "≥" if kpi.comparator is Comparator.AT_LEAST else "≤"
    return f"{sign} {wording.percent(Fraction(kpi.target))}"


def _aim(kpi: Kpi, facts: Facts) -> str:
    t = facts.language
    parts = [f"{wording.TARGET(t)} {_target(kpi)}"]
    if kpi.baseline is not None:
        parts.append(f"{wording.BASELINE(t)} {wording.percent(Fraction(kpi.baseline))}")
    if kpi.aim.due_on:
        parts.append(f"{wording.DUE(t)} {wording.day(kpi.aim.due_on, t)}")
    return " · ".join(parts)


def _uplift(kpi: Kpi, facts: Facts) -> str:
    """How far the target is from the baseline, said both ways, so that neither is guessed (C-13)."""
    t = facts.language
    if not kpi.baseline:
        return ""
    baseline, target = Fraction(kpi.baseline), Fraction(kpi.target)
    relative = f"{wording.signed(target / baseline - 1)}%"
    return "<br>" + wording.UPLIFT(t).format(relative=relative, points=wording.signed(target - baseline))


def _period(kpi: Kpi, facts: Facts) -> str:
    if kpi.snapshot is None:
        return kpi.definition.window.label(facts.language)
    first = timekeeping.local_day(kpi.snapshot.period_start, facts.tz)
    last = timekeeping.local_day(kpi.snapshot.period_end - timekeeping.TICK, facts.tz)
    days = [wording.day(day, facts.language) for day in (first, last)]
    return days[0] if first == last else " – ".join(days)


def _kpi_cards(facts: Facts) -> str:
    t = facts.language
    cards = []
    for kpi in facts.kpis:
        marks = [("target", float(kpi.target))]
        if kpi.baseline is not None:
            marks.append(("baseline", float(kpi.baseline)))
        counted = f"{kpi.numerator or 0:,} / {kpi.denominator or 0:,} {kpi.definition.denominator(t)}"
        cards.append(
            f'<article class="card"><div class="top"><h3>{kpi.definition.name(t)}</h3>'
            f'{_status(kpi.status, facts)}</div><p class="value">{_value(kpi, facts)}</p>'
            f'<p class="of">{counted}</p>{charts.bar_of(float(kpi.exact or 0), marks)}'
            f"<p>{_aim(kpi, facts)}</p></article>"
        )
    return f'<section class="cards">{"".join(cards)}</section>'


def _kpi_table(facts: Facts) -> str:
    t = facts.language
    rows = []
    for kpi in facts.kpis:
        gap = "–" if kpi.exact is None else wording.signed(kpi.exact - Fraction(kpi.target))
        baseline = "–" if kpi.baseline is None else wording.percent(Fraction(kpi.baseline))
        rows.append(
            f'<tr><th scope="row">{kpi.definition.name(t)}'
            f"<small>{_period(kpi, facts)}{_uplift(kpi, facts)}</small></th>"
            f'<td class="text">{wording.DIMENSIONS[kpi.definition.dimension](t)}</td>'
            f"<td>{kpi.numerator or 0:,} / {kpi.denominator or 0:,}</td><td>{baseline}</td>"
            f"<td>{_target(kpi)}</td><td>{_value(kpi, facts)}</td><td>{gap}</td>"
            f"<td>{_status(kpi.status, facts)}</td></tr>"
        )
    head = (wording.COUNTED, wording.BASELINE, wording.TARGET, wording.ACTUAL, wording.GAP, wording.STATUS)
    return (
        f'<section class="whole"><h2>{wording.TARGETS(t)}</h2><div class="scroll">'
        f'<table class="aims"><thead><tr><th scope="col">{wording.KPI(t)}</th>'
        f'<th scope="col" class="text">{wording.KIND(t)}</th>'
        + "".join(f'<th scope="col">{label(t)}</th>' for label in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _tiers(facts: Facts) -> str:
    t, everybody = facts.language, facts.census.customers
    rows = []
    for tier, label in wording.TIER_NAMES.items():
        count = facts.census.tiers[tier]
        share = Fraction(count, everybody) if everybody else None
        rows.append(
            f'<tr><th scope="row">{label(t)}</th><td>{count:,}</td>'
            f"<td>{wording.percent(share) if share is not None else '–'}</td>"
            f'<td class="wide">{charts.bar_of(float(share or 0))}</td></tr>'
        )
    return (
        f'<section class="whole"><h2>{wording.TIERS(t)}</h2><table class="tiers"><thead><tr>'
        f'<th scope="col">{wording.TIER(t)}</th><th scope="col">{wording.CUSTOMERS(t)}</th>'
        f'<th scope="col">{wording.SHARE(t)}</th><th></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )


def _trend(facts: Facts) -> str:
    t, months, currency = facts.language, facts.months, escape(facts.currency)
    names = [wording.month(month.first, t) for month in months]
    revenue = [money.amount(month.revenue_minor, facts.currency) for month in months]
    earned = f"{wording.REVENUE(t)} ({currency})"

    def series(name: str, title: str, values: Iterable[float], spoken: Iterable[str]) -> charts.Series:
        said = [f"{month}: {value}" for month, value in zip(names, spoken, strict=True)]
        return charts.Series(
            name, title, names, list(values), said, lambda largest: wording.axis(largest, t), unfinished=True
        )

    orders = series(
        "orders", wording.ORDERS(t), [m.orders for m in months], [f"{m.orders:,}" for m in months]
    )
    sums = series("revenue", earned, [float(a) for a in revenue], [f"{currency} {a:,}" for a in revenue])
    rows = [
        f'<tr><th scope="row">{name}</th><td>{month.orders:,}</td><td>{amount:,}</td></tr>'
        for name, month, amount in zip(names, months, revenue, strict=True)
    ]
    head = "".join(f'<th scope="col">{label}</th>' for label in (wording.MONTH(t), wording.ORDERS(t), earned))
    half = len(rows) // 2
    tables = "".join(
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(part)}</tbody></table>"
        for part in (rows[:half], rows[half:])
    )
    return (
        f"<section><h2>{wording.TREND(t)}</h2>"
        f"<figure><figcaption>{orders.title}</figcaption>{charts.bars(orders)}</figure>"
        f"<figure><figcaption>{sums.title}</figcaption>{charts.line(sums)}</figure>"
        f'<div class="halves">{tables}</div><p class="note">{wording.UNFINISHED(t)}</p></section>'
    )


def _definitions(facts: Facts) -> str:
    t = facts.language
    entries = "".join(
        f"<div><dt>{kpi.definition.name(t)}</dt><dd>{kpi.definition.meaning(t)}</dd>"
        f"<dd>{_counted(kpi.definition, t)}</dd>"
        f"<dd><code>{escape(kpi.definition.formula)}</code></dd></div>"
        for kpi in facts.kpis
    )
    return f"<section><h2>{wording.DEFINITIONS(t)}</h2><dl>{entries}</dl></section>"


def _counted(kpi: KpiDefinition, t: Language) -> str:
    return wording.HOW(t).format(
        numerator=kpi.numerator(t), denominator=kpi.denominator(t), window=kpi.window.label(t)
    )
