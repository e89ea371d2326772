"""The table, the bars and the JSON of measured rounds."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.disk import Syncs
from bench.figure import Figure
from bench.load import GET, POST, PUT, RANGE, Case

MANY = 1_000
"""The number of series in the loads with many."""

LONE, SOME, CROWD = 1, 64, 256
"""The numbers of clients that the bars need."""

IDLE = 2_000
"""The number of idle connections in the load beside them."""

SERVICE, WORKERS, WAITRESS, EMPTY = "monotron", "workers", "waitress", "empty"
NO_HISTORY, NO_MEASURES, ACCESS_LOG, WEBDIS = "no-history", "no-measures", "access-log", "webdis"
"""The names of the servers."""

VARIANTS = (NO_HISTORY, NO_MEASURES, ACCESS_LOG)
"""The servers that are the service with one thing changed."""


@dataclass(frozen=True, slots=True)
class Round:
    """Everything once, one server after the other, so that compared figures belong together."""

    disk: Syncs
    figures: dict[tuple[Case, str], Figure]
    """By the load and the server's name."""


Ratio = Callable[[Round], float | None]
"""Returns a bar's figure in a round; None if it was not measured."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A goal, and the figure of each round that is compared with it."""

    meaning: str
    at_least: float | None
    at_most: float | None
    figures: list[float]

    @property
    def figure(self) -> float | None:
        """The median of the rounds; None if it was not measured."""
        return statistics.median(self.figures) if self.figures else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None if there is no goal, or no figure."""
        if self.figure is None or self.at_least == self.at_most:
            return None
        if self.at_least is not None:
            return self.figure >= self.at_least
        return self.at_most is not None and self.figure <= self.at_most

    def __str__(self) -> str:
        said = {True: "reached", False: "NOT REACHED", None: "noted"}[self.reached]
        if self.figure is None:
            return f"{'not measured':12}  {self._goal:14}  {'':28}  {self.meaning}"
        figure = f"{self.figure:.2f} ({min(self.figures):.2f} to {max(self.figures):.2f})"
        return f"{said:12}  {self._goal:14}  {figure:28}  {self.meaning}"

    @property
    def _goal(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"


def bars(rounds: Sequence[Round]) -> list[Bar]:
    """Return every bar."""

    def bar(
        meaning: str, ratio: Ratio, *, at_least: float | None = None, at_most: float | None = None
    ) -> Bar:
        figures = [figure for each in rounds if (figure := ratio(each)) is not None]
        return Bar(meaning, at_least, at_most, figures)

    one, many = Case(POST, 1, SOME), Case(POST, MANY, SOME)
    return [
        bar("64 clients: monotron / webdis with Redis", rates(one, one, WEBDIS), at_least=0.75),
        bar("64 clients: µs of processor time for each number", processor(one), at_most=55),
        bar("256 clients / 64 clients", rates(Case(POST, 1, CROWD), one), at_least=0.9),
        bar("1,000 series / one series, 64 clients", rates(many, one), at_least=0.8),
        bar(
            "a lone client: median / (two syncs + the empty app's median)",
            lone_median,
            at_most=1.3,
        ),
        bar(
            "GET, 64 clients: monotron / the empty app",
            rates(Case(GET, 1, SOME), Case(GET, 1, SOME), EMPTY),
            at_least=0.8,
        ),
        bar("count=100: millions of values a second", millions(Case(RANGE, 1, SOME)), at_least=1),
        bar("one series: with history / without", rates(one, one, NO_HISTORY), at_least=0.85),
        bar("1,000 series: with history / without", rates(many, many, NO_HISTORY), at_least=0.85),
        bar(
            "processor time with measures / without",
            processor(one, NO_MEASURES),
            at_most=1.05,
        ),
        bar("numbers a second with the access log / without", rates(one, one, SERVICE, ACCESS_LOG)),
        bar("N workers / one worker, 64 clients", rates(one, one, SERVICE, WORKERS)),
        bar("PUT with a new token / POST, 64 clients", rates(Case(PUT, 1, SOME), one)),
        bar("beside 2,000 idle connections / without", rates(Case(POST, 1, SOME, idle=IDLE), one)),
        bar("KiB of memory for each idle connection", idle_kib),
    ]


def rates(above: Case, below: Case, than: str = SERVICE, of: str = SERVICE) -> Ratio:
    """Return the ratio of two rates: of a server under a load, and of one under another."""

    def ratio(one: Round) -> float | None:
        first, second = one.figures.get((above, of)), one.figures.get((below, than))
        return first.per_second / second.per_second if first and second else None

    return ratio


def processor(case: Case, than: str | None = None) -> Ratio:
    """Return the service's processor time for a number, or its ratio to another server's."""

    def ratio(one: Round) -> float | None:
        ours = one.figures.get((case, SERVICE))
        other = one.figures.get((case, than)) if than else None
        if ours is None or (than and other is None):
            return None
        return ours.processor_us / other.processor_us if other else ours.processor_us

    return ratio


def millions(case: Case) -> Ratio:
    """Return the service's rate in millions a second."""

    def ratio(one: Round) -> float | None:
        figure = one.figures.get((case, SERVICE))
        return figure.per_second / 1e6 if figure else None

    return ratio


def lone_median(one: Round) -> float | None:
    """Return a lone client's median latency, compared with what no service could do without."""
    lone = Case(POST, 1, LONE)
    ours, empty = one.figures.get((lone, SERVICE)), one.figures.get((lone, EMPTY))
    if ours is None or empty is None:
        return None
    return ours.median_ms / (2 * one.disk.median_ms + empty.median_ms)


def idle_kib(one: Round) -> float | None:
    """Return how much more memory the service has for each idle connection."""
    beside = one.figures.get((Case(POST, 1, SOME, idle=IDLE), SERVICE))
    alone = one.figures.get((Case(POST, 1, SOME), SERVICE))
    return (beside.mib - alone.mib) * 1024 / IDLE if beside and alone else None


@dataclass(frozen=True, slots=True)
class Row:
    """One server under one load. Each figure is the median of the rounds."""

    case: Case
    server: str
    figure: Figure
    ratio: float | None
    """Its rate compared with the service's; the median of the rounds' own ratios."""


def rows(rounds: Sequence[Round]) -> list[Row]:
    """Return a row for each server under each load, in the order of the loads."""
    return [_row(case, server, rounds) for case, server in sorted(rounds[0].figures, key=_place)]


def table(rounds: Sequence[Round]) -> str:
    """Return the rows and, last, the disk's own rate as text."""
    disk = _disk(rounds)
    lines = [_line(_HEAD), *(_line(_cells(row)) for row in rows(rounds))]
    syncs = ["the disk", "", "", "", "", "", f"{disk['per_second']:,.0f}", "", ""]
    return "\n".join(
        [*lines, _line([*syncs, f"{disk['median_ms']:.2f}", f"{disk['p99_ms']:.2f}", "", ""])]
    )


def as_json(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return everything: medians, bars, and each round's own figures."""
    return {
        "rows": [
            _flat(row.case, row.server, row.figure) | {"ratio": row.ratio} for row in rows(rounds)
        ],
        "disk": _disk(rounds),
        "bars": [
            {**asdict(bar), "figure": bar.figure, "reached": bar.reached} for bar in bars(rounds)
        ],
        "rounds": [
            {
                "disk": asdict(one.disk),
                "loads": [_flat(*key, figure) for key, figure in one.figures.items()],
            }
            for one in rounds
        ],
    }


def _row(case: Case, server: str, rounds: Sequence[Round]) -> Row:
    each = [asdict(one.figures[case, server]) for one in rounds]
    medians = {name: statistics.median(figures[name] for figures in each) for name in each[0]}
    medians["failed"] = sum(figures["failed"] for figures in each)
    ratio = rates(case, case, SERVICE, server)
    ratios = [found for one in rounds if (found := ratio(one)) is not None]
    return Row(case, server, Figure(**medians), statistics.median(ratios) if ratios else None)


def _place(key: tuple[Case, str]) -> tuple[object, ...]:
    case, server = key
    calls, servers = (POST, PUT, GET, RANGE), (SERVICE, WORKERS, EMPTY, WEBDIS, WAITRESS)
    place = servers.index(server) if server in servers else len(servers)
    return calls.index(case.call), case.series, not case.keep_alive, case.idle, case.clients, place


def _disk(rounds: Sequence[Round]) -> dict[str, float]:
    return {
        name: statistics.median(asdict(one.disk)[name] for one in rounds)
        for name in ("per_second", "median_ms", "p99_ms")
    }


def _flat(case: Case, server: str, figure: Figure) -> dict[str, Any]:
    return {**asdict(case), "server": server, **asdict(figure)}


_HEAD = (
    *("     call", "series", "keep-alive", " idle", "clients", "     server", " a second"),
    *("ratio", "µs each", "p50 ms", "p99 ms", "  MiB", "failed"),
)


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.rjust(len(head)) for head, cell in zip(_HEAD, cells, strict=True))


def _cells(row: Row) -> list[str]:
    case, figure = row.case, row.figure
    return [
        *(case.call, f"{case.series:,}", "yes" if case.keep_alive else "no", f"{case.idle:,}"),
        *(str(case.clients), row.server, f"{figure.per_second:,.0f}"),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        *(f"{figure.processor_us:.1f}", f"{figure.median_ms:.2f}", f"{figure.p99_ms:.2f}"),
        *(f"{figure.mib:.0f}", str(figure.failed)),
    ]
