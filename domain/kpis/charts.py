"""The report's charts: SVG that stands alone, needs no script and prints in grey as well as in colour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any
from xml.etree import ElementTree

import pygal
from pygal.style import Style

WIDTH, HEIGHT = 900, 250
BAR, LINE = "#2a6f8f", "#b4552d"
INK, FAINT = "#5b6770", "#e3e8eb"


@dataclass(frozen=True)
class Series:
    """Values along the months. `spoken` says each of them in full, for tooltips and screen readers."""

    name: str
    title: str
    labels: Sequence[str]
    values: Sequence[float]
    spoken: Sequence[str]
    axis: Callable[[float], Callable[[float], str]]
    """Given the axis's largest value, how to write the numbers along it."""
    unfinished: bool = False
    """Whether the last value is of a month that is not over."""


def bars(series: Series) -> str:
    """One bar a month; that of an unfinished month is pale."""
    return _drawn(_chart(pygal.Bar, series, BAR, ".9"), series, "fill-opacity: .35")


def line(series: Series) -> str:
    """A line over a tinted area; the dot of an unfinished month is hollow."""
    chart = _chart(pygal.Line, series, LINE, ".14", fill=True, dots_size=3, stroke_style={"width": 2})
    return _drawn(chart, series, "fill: white; stroke-width: 1.5px")


def _chart(kind: Any, series: Series, colour: str, opacity: str, **more: Any) -> Any:
    style = Style(
        background="transparent",
        plot_background="transparent",
        font_family="inherit",
        foreground=INK,
        foreground_strong=INK,
        foreground_subtle=FAINT,
        guide_stroke_color=FAINT,
        major_guide_stroke_color=FAINT,
        guide_stroke_dasharray="none",
        major_guide_stroke_dasharray="none",
        label_font_size=13,
        major_label_font_size=13,
        opacity=opacity,
        stroke_opacity="1",
        stroke_width="1",
        transition="none",
        colors=(colour,),
    )
    ticks = nice_ticks(max(series.values, default=0))
    return kind(
        style=style,
        width=WIDTH,
        height=HEIGHT,
        margin=4,
        margin_right=32,
        spacing=12,
        js=[],
        show_legend=False,
        rounded_bars=2,
        x_labels=list(series.labels),
        x_labels_major=list(series.labels)[::-3],
        show_minor_x_labels=False,
        truncate_label=-1,
        y_labels=ticks,
        range=(0, ticks[-1]),
        value_formatter=series.axis(ticks[-1]),
        disable_xml_declaration=True,
        **more,
    )


def nice_ticks(largest: float) -> list[float]:
    """From 0 in four to six round steps to at least the largest value."""
    if largest <= 0:
        return [0, 1]
    raw = largest / 5
    magnitude = 10.0 ** floor(log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    step = max(step, 1)
    return [number * step for number in range(ceil(largest / step) + 1)]


def _drawn(chart: Any, series: Series, unfinished: str) -> str:
    # A fixed name instead of pygal's random one: the same facts make the same page.
    chart.uuid = series.name

    def plain(root: Any) -> Any:
        return _plain(root, series, unfinished)

    chart.add(series.title, list(series.values))
    chart.add_xml_filter(plain)
    return str(chart.render())


def _plain(root: Any, series: Series, unfinished: str) -> Any:
    """Without scripts, comments and hover boxes; each mark says its value in a title of its own."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("script", "desc") or not isinstance(child.tag, str):
                parent.remove(child)
    marks = [node for node in root.iter() if "tooltip-trigger" in (node.get("class") or "").split()]
    for mark, spoken in zip(marks, series.spoken, strict=False):
        ElementTree.SubElement(mark, "title").text = spoken
    if series.unfinished and marks:
        marks[-1].set("style", unfinished)
    title = next(node for node in root if node.tag == "title")
    title.text = series.title
    root.set("role", "img")
    root.set("aria-label", series.title)
    return root


def bar_of(share: float, marks: Sequence[tuple[str, float]] = ()) -> str:
    """A horizontal bar of a share of 1, with upright marks at other shares: plain boxes, no drawing."""
    ticks = "".join(
        f'<i class="{escape(kind)}" style="left:{min(max(at, 0), 1) * 100:.2f}%"></i>' for kind, at in marks
    )
    return (
        f'<span class="bar" aria-hidden="true"><b style="width:{min(max(share, 0), 1) * 100:.2f}%"></b>'
        f"{ticks}</span>"
    )
