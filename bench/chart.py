"""The chart: numbers a second from each server, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape

from bench.load import POST
from bench.report import CROWD, LONE, SERVICE, SOME, VARIANTS, WORKERS, Row

WIDTH, LEFT, RIGHT = 840, 290, 215
BAR, GAP, HEAD = 20, 6, 34

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.head { font-weight: 600; }
.bar { fill: #8c959f; }
.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) { text { fill: #d1d7e0; } .ours { fill: #4493f8; } }
"""


def chart(rows: Sequence[Row], meanings: Mapping[str, str]) -> str:
    """Return a chart of one series' numbers a second, with a group of bars for 1, 64, 256 clients.

    `meanings` says what each server is, by its name.
    """
    wanted = [
        row
        for row in rows
        if row.case.call == POST
        and (row.case.series, row.case.keep_alive, row.case.idle) == (1, True, 0)
        and row.server not in VARIANTS
    ]
    longest = max((row.figure.per_second for row in wanted), default=1.0)
    parts: list[str] = []
    top = GAP
    for clients in (LONE, SOME, CROWD):
        group = [row for row in wanted if row.case.clients == clients]
        if not group:
            continue
        many = "1 client" if clients == 1 else f"{clients} clients"
        parts.append(f'<text class="head" x="{GAP}" y="{top + 20}">{many}</text>')
        top += HEAD
        for row in group:
            parts += _bar(row, meanings[row.server], top, longest)
            top += BAR + GAP
    return _document(parts, top + GAP)


def _bar(row: Row, meaning: str, top: int, longest: float) -> list[str]:
    width = (WIDTH - LEFT - RIGHT) * row.figure.per_second / longest
    style = "bar ours" if row.server in (SERVICE, WORKERS) else "bar"
    said = f"{row.figure.per_second:,.0f} a second, {row.figure.processor_us:.0f} µs each"
    middle = top + BAR - 5
    return [
        f'<text x="{LEFT - GAP}" y="{middle}" text-anchor="end">{escape(meaning)}</text>',
        f'<rect class="{style}" x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}"/>',
        f'<text x="{LEFT + width + GAP:.1f}" y="{middle}">{said}</text>',
    ]


def _document(parts: Sequence[str], height: int) -> str:
    title = "Durable numbers a second of one series, and processor time for each"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )
