"""Draws what was measured with matplotlib, as SVG that belongs into a page: its letters are the page's, its colours come from
bench.css, and the same record gives the same drawing. Every chart is drawn twice, for wide windows and for narrow ones.
"""

import io
import math
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import sources

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# In the drawing each colour is a number; the page has the colours. So one drawing serves light and dark.
TEXT, RULE, FIRST = "#00ff01", "#00ff02", 0x00FE00
LINE = 1.8
MARKERS = "osD^vPX*p"
DASHES = ((), (6, 2), (2, 2), (7, 2, 2, 2), (4, 1), (4, 2), (), (5, 1, 1, 1), (1, 1))


class NoMatplotlib(Exception):
    pass


@dataclass
class Series:
    """A line, or a group of bars: a value for each place, None where there is none; and from where to where it ranges."""

    label: str
    colour: int
    values: list
    ranges: list = field(default_factory=list)


@dataclass
class Chart:
    title: str
    kind: str  # lines or bars
    places: list  # what stands below each of them (bars: beside)
    series: list
    axis: str  # what the values are
    below: str = ""  # what the places are
    logarithmic: bool = False
    base: float = None  # where a line stands to compare with
    words: list = field(default_factory=list)  # the same as sentences

    @staticmethod
    def states_shown():
        """Of the lanes' legend: none; this has one of its own."""
        return []


@dataclass(frozen=True)
class Style:
    name: str
    width: float
    height: float
    font: float


WIDE = Style("wide", 690, 340, 13.5)
NARROW = Style("narrow", 318, 300, 11.5)


def _matplotlib():
    # What it remembers stays in build/, and nothing of the reader's own settings counts.
    os.environ.setdefault("MPLCONFIGDIR", str(sources.ROOT / "build/docs/matplotlib"))
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise NoMatplotlib("there is no matplotlib: please install python3-matplotlib") from None
    return matplotlib, FigureCanvasSVG, Figure


def draw(chart, identifier, style):
    """One drawing as an <svg> element; `identifier` makes the ids in it unique on the page."""
    matplotlib, canvas, figure_of = _matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "DejaVu Sans", "font.size": style.font,
            "text.color": TEXT, "axes.labelcolor": TEXT, "xtick.labelcolor": TEXT, "ytick.labelcolor": TEXT,
            "axes.edgecolor": RULE, "xtick.color": RULE, "ytick.color": RULE, "grid.color": RULE, "axes.titlesize": style.font,
            "axes.spines.top": False, "axes.spines.right": False, "axes.unicode_minus": False})
        rows = len(chart.places) * len(chart.series)
        height = style.height if chart.kind == "lines" else 62 + rows * style.font * 1.75
        figure = figure_of(figsize=(style.width / 72, height / 72), dpi=72, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        (_lines if chart.kind == "lines" else _bars)(chart, axes, style)
        out = io.StringIO()
        canvas(figure).print_svg(out)
    return _for_the_page(out.getvalue(), chart, f"{identifier}-{style.name}", style)


def _colour_of(number):
    return f"#{FIRST + number:06x}"


def _lines(chart, axes, style):
    if chart.base is not None:
        axes.axhline(chart.base, color=_colour_of(0), linewidth=1.2, zorder=1.5)
    for series in chart.series:
        values = [math.nan if value is None else value for value in series.values]
        xs = range(len(values))
        dashes = DASHES[series.colour % len(DASHES)]
        letter = MARKERS[series.colour % len(MARKERS)]
        for x, ends in zip(xs, series.ranges):
            if ends and ends[0] != ends[1]:
                axes.plot([x, x], ends, color=_colour_of(series.colour), linewidth=1, solid_capstyle="butt")
        axes.plot(xs, values, color=_colour_of(series.colour), linewidth=LINE, marker=letter, markeredgewidth=0,
                  markersize=(6 if style is WIDE else 5) + (2 if letter in "PX*" else 0), dashes=dashes or (None, None))
    if chart.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: "")
    elif chart.base is None:
        axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(chart.places)), chart.places)
    axes.margins(x=0.04)
    axes.set_xlabel(chart.below)
    axes.set_title(chart.axis, loc="left", pad=8)  # above, where it need not be read upwards
    axes.grid(axis="y", linewidth=0.6)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)


def _bars(chart, axes, style):
    count, thick = len(chart.series), 0.8 / len(chart.series)
    most = max(value for series in chart.series for value in series.values if value is not None)
    for at, series in enumerate(chart.series):
        for place, value in enumerate(series.values):
            y = place + (at - (count - 1) / 2) * thick
            if value is not None:
                axes.barh(y, value, thick * 0.86, color=_colour_of(series.colour), linewidth=0)
            axes.text((value or 0) + most * 0.012, y, "–" if value is None else f"{value:,.1f}", va="center_baseline")
    axes.set_yticks(range(len(chart.places)), chart.places)
    axes.invert_yaxis()
    axes.set_xlim(0, most * (1.1 if style is WIDE else 1.22))
    axes.set_title(chart.axis, loc="left", pad=8)
    axes.grid(axis="x", linewidth=0.6)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)


# --- from matplotlib's file to a part of the page ---------------------------------------------------------------------

COLOURS = {TEXT: "var(--lanes-text)", RULE: "var(--lanes-rule)"}


def _css(colour):
    colour = colour.lower()
    if colour in COLOURS:
        return COLOURS[colour]
    if re.fullmatch("#00fe[0-9a-f]{2}", colour):
        return f"var(--bench-{int(colour[1:], 16) - FIRST})"
    return colour


def _style(text, is_letter):
    """A style attribute with the page's colours, and without fonts."""
    kept = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, _, value = (word.strip() for word in part.partition(":"))
        if not key.startswith("font"):
            kept.append(f"{key}:{_css(value)}")
    if is_letter and not any(part.startswith("fill:") for part in kept):
        kept.append("fill:var(--lanes-text)")
    return ";".join(kept)


def _for_the_page(text, chart, identifier, style):
    ET.register_namespace("", SVG)
    root = ET.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}metadata" or (child.tag == f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        letter = element.tag == f"{{{SVG}}}text"
        if letter:
            element.set("class", "bench-text")
        if "style" in element.attrib:
            element.set("style", _style(element.get("style"), letter))
        for key, value in list(element.attrib.items()):
            if key == "id":
                # Only what is pointed at needs a name.
                element.set("id", f"{identifier}-{value}")
            elif key == f"{{{XLINK}}}href":
                del element.attrib[key]
                element.set("href", f"#{identifier}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{identifier}-"))
    width, height = (float(number) for number in root.get("viewBox").split()[2:])
    inner = "".join(ET.tostring(child, encoding="unicode") for child in root).replace(f' xmlns="{SVG}"', "")
    used = set(re.findall(rf"#({re.escape(identifier)}-[\w-]+)", inner))
    inner = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", inner)
    inner = re.sub(r"\s*\n\s*", " ", inner)
    return (f'<svg class="lanes-svg lanes-{style.name}" role="img" xmlns="{SVG}" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" style="--lanes-width:{width:g}px" aria-labelledby="{identifier}-title" '
            f'aria-describedby="{identifier}-desc"><title id="{identifier}-title">{escape(chart.title)}</title>'
            f'<desc id="{identifier}-desc">{escape(chart.axis)}. The figures follow as a list.</desc>{inner}</svg>')


def legend(chart):
    """The series, as HTML, so that it flows."""
    keys = []
    for series in chart.series:
        colour = f"var(--bench-{series.colour})"
        if chart.kind == "bars":
            mark = f'<rect x="1" y="1" width="12" height="12" rx="2" style="fill:{colour}"/>'
            size = 14
        else:
            dashes = DASHES[series.colour % len(DASHES)]
            dashed = f";stroke-dasharray:{' '.join(f'{LINE * part:g}' for part in dashes)}" if dashes else ""
            mark = (f'<path d="M0 7H34" style="stroke:{colour};stroke-width:{LINE}{dashed}"/>'
                    f'<path d="{_marker(MARKERS[series.colour % len(MARKERS)])}" style="fill:{colour}"/>')
            size = 34
        keys.append(f'<span class="lanes-key"><svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="14" viewBox="0 0 {size} 14" aria-hidden="true">{mark}</svg>'
                    f"{escape(series.label)}</span>")
    return f'<div class="lanes-legend bench-legend" aria-hidden="true">{"".join(keys)}</div>'


def _marker(letter):
    """The path of one of MARKERS, about (17, 7)."""
    x, y, r = 17, 7, 4
    if letter == "o":
        return f"M{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z"
    corners = {
        "s": [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)], "D": [(0, -5), (5, 0), (0, 5), (-5, 0)],
        "^": [(0, -4), (4, 4), (-4, 4)], "v": [(0, 4), (4, -4), (-4, -4)],
        "P": [(-1.5, -4), (1.5, -4), (1.5, -1.5), (4, -1.5), (4, 1.5), (1.5, 1.5), (1.5, 4), (-1.5, 4), (-1.5, 1.5), (-4, 1.5),
              (-4, -1.5), (-1.5, -1.5)],
        "X": [(-4, -2), (-2, -4), (0, -2), (2, -4), (4, -2), (2, 0), (4, 2), (2, 4), (0, 2), (-2, 4), (-4, 2), (-2, 0)],
        "*": [(math.sin(at * math.pi / 5) * (5 if at % 2 == 0 else 2), -math.cos(at * math.pi / 5) * (5 if at % 2 == 0 else 2))
              for at in range(10)],
        "p": [(math.sin(at * math.pi / 2.5) * 4.5, -math.cos(at * math.pi / 2.5) * 4.5) for at in range(5)]}[letter]
    return "M" + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + "z"
