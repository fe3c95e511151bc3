"""The 5x3 matrix as a table that reads as well without its shades as with them."""

from fractions import Fraction
from math import ceil, sqrt

from domain.kpis import wording
from domain.kpis.facts import Facts
from domain.kpis.style import HEAT


def matrix(facts: Facts) -> str:
    """All fifteen cells with their counts and shares, and the totals of rows and columns."""
    t, census = facts.language, facts.census
    largest = max(census.cells.values(), default=0)
    levels = list(wording.LEVELS)
    head = "".join(f'<th scope="col">{wording.LEVELS[level](t)}</th>' for level in levels)
    rows = []
    for stage, label in wording.STAGES.items():
        cells = "".join(_heat(census.cells[stage, level], largest, census.customers) for level in levels)
        rows.append(
            f'<tr><th scope="row">{label(t)}</th>{cells}{_total(census.stage(stage), census.customers)}</tr>'
        )
    foot = "".join(_total(census.level(level), census.customers) for level in levels)
    shades = "".join(f'<i style="background:{shade}"></i>' for shade in HEAT)
    return (
        f'<section class="whole"><h2>{wording.MATRIX(t)}</h2><div class="scroll"><table class="heat">'
        f'<thead><tr><th scope="col">{wording.LIFECYCLE(t)}</th>{head}<th scope="col">{wording.TOTAL(t)}</th>'
        f'</tr></thead><tbody>{"".join(rows)}</tbody><tfoot><tr><th scope="row">{wording.TOTAL(t)}</th>{foot}'
        f"{_total(census.customers, census.customers)}</tr></tfoot></table></div>"
        f'<p class="legend" aria-hidden="true"><span>{wording.FEWER(t)}</span>{shades}'
        f"<span>{wording.MORE(t)}</span></p></section>"
    )


def _heat(count: int, largest: int, everybody: int) -> str:
    # By the root of the count, so that small groups differ from each other too.
    shade = ceil(sqrt(count / largest) * (len(HEAT) - 1)) if largest else 0
    colour = "#fff" if shade >= 5 else "#1c2b33"
    return f'<td style="background:{HEAT[shade]};color:{colour}">{_count(count, everybody)}</td>'


def _total(count: int, everybody: int) -> str:
    return f'<td class="total">{_count(count, everybody)}</td>'


def _count(count: int, everybody: int) -> str:
    share = f"<small>{wording.percent(Fraction(count, everybody))}</small>" if everybody else ""
    return f"<b>{count:,}</b>{share}"
