"""The demo's report: build/demo/report.json and one self-contained report.html with inline SVG."""

from __future__ import annotations

import html
import json
import math
import pathlib

WIDTH, HEIGHT, LEFT, BOTTOM = 860, 190, 56, 22
COLOURS = ("#0b6e99", "#d1495b", "#66a182", "#edae49", "#5f4b8b")

Line = tuple[str, list[tuple[float, float | None]]]  # name and points; None: not known


def nice_step(span: float) -> float:
    rough = max(span, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough)


def path(points: list[tuple[float, float | None]], x_of, y_of) -> str:
    words, pen = [], "M"
    for x, y in points:
        if y is None:
            pen = "M"
            continue
        words.append(f"{pen}{x_of(x):.1f} {y_of(y):.1f}")
        pen = "L"
    return " ".join(words)


def plot(title: str, unit: str, lines: list[Line], end_x: float, x_label) -> str:
    """One SVG chart; `x_label` turns x into text for the axis."""
    known = [y for _, points in lines for _, y in points if y is not None]
    top = max(known, default=1.0) * 1.08 or 1.0
    plot_h = HEIGHT - BOTTOM - 10

    def x_of(x: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * x / end_x

    def y_of(y: float) -> float:
        return 10 + plot_h * (1 - y / top)

    out = [f'<h2>{html.escape(title)}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    step = nice_step(top)
    for i in range(int(top / step) + 1):
        y = y_of(i * step)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - 8}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{i * step:g}</text>')
    for i in range(9):
        x = end_x * i / 8
        anchor = "end" if i == 8 else "middle"
        out.append(
            f'<text x="{x_of(x):.1f}" y="{HEIGHT - 4}" text-anchor="{anchor}">{x_label(x)}</text>'
        )
    for colour, (_, points) in zip(COLOURS * 3, lines):
        out.append(f'<path class="line" stroke="{colour}" d="{path(points, x_of, y_of)}"/>')
    out.append("</svg><p class=legend>")
    for colour, (name, _) in zip(COLOURS * 3, lines):
        out.append(f'<span style="color:{colour}">&#9632;</span> {html.escape(name)} &nbsp; ')
    out.append(f"[{html.escape(unit)}]</p>")
    return "".join(out)


STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;
color:#1d2733;background:#fff}h1{font-size:1.5em}h2{font-size:1.05em;margin:1.6em 0 .3em}
svg{width:100%;font:11px system-ui,sans-serif}.grid{stroke:#dde3ea;fill:none}.line{fill:none;
stroke-width:1.6}text{fill:#5b6875}table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;
border-bottom:1px solid #dde3ea;text-align:left}td:last-child{color:#5b6875}td b{white-space:nowrap}.legend{color:#5b6875;
margin:.1em 0}.note{background:#f4f6f8;padding:.6em .9em}"""


def write_html(
    file: pathlib.Path, rows: list[tuple[str, str, str]], notes: list[str], plots: list[str]
) -> None:
    table = "".join(
        f"<tr><td>{html.escape(a)}</td><td><b>{html.escape(b)}</b></td><td>{html.escape(c)}</td></tr>"
        for a, b, c in rows
    )
    note = "".join(f"<p class=note>{html.escape(text)}</p>" for text in notes)
    file.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>huddle: a day on a small rack'
        f"</title><style>{STYLE}</style><h1>huddle: a day on a small rack</h1>"
        f"<table>{table}</table>{note}{''.join(plots)}</html>\n"
    )


def write_json(file: pathlib.Path, result: dict) -> None:
    file.write_text(json.dumps(result, indent=1) + "\n")


def text_table(rows: list[tuple[str, str, str]]) -> str:
    first = max(len(row[0]) for row in rows)
    second = max(len(row[1]) for row in rows)
    return "\n".join(f"  {a:<{first}}  {b:>{second}}  {c}" for a, b, c in rows)
