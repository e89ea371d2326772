"""The table, the bars and the JSON of measured rounds."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.disk import Syncs
from bench.load import Case, Load

MANY = 1000
"""The number of series in the case of many."""

LONE, SOME, CROWD = 1, 64, 256
"""The numbers of clients that the bars need."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same load on the empty app and, immediately afterwards, on monotron."""

    empty: Load
    real: Load


@dataclass(frozen=True, slots=True)
class Round:
    """Everything once, within about a minute, so that compared figures were measured together."""

    disk: Syncs
    pairs: dict[Case, Pair]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of load. Each figure is the median of the rounds."""

    series: str
    keep_alive: bool
    clients: int
    empty_per_second: float
    real_per_second: float
    ratio: float
    """The median of the rounds' own ratios, which need not be the ratio of the medians."""
    empty_median_ms: float
    real_median_ms: float
    empty_p99_ms: float
    real_p99_ms: float
    failed: int
    """Failed requests of both, in all rounds."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A goal, as a ratio of figures from one round."""

    meaning: str
    series: str
    at_least: bool
    limit: float
    ratios: list[float]
    """One for each round; empty if the numbers of clients it needs were not measured."""

    @property
    def figure(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None if it was not measured."""
        if self.figure is None:
            return None
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    def __str__(self) -> str:
        said = {True: "reached", False: "NOT REACHED", None: "not measured"}[self.reached]
        goal = f"{'at least' if self.at_least else 'at most'} {self.limit:.1f}"
        figure = ""
        if self.figure is not None:
            figure = f"{self.figure:.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})"
        return f"{said:12}  {figure:19}  {goal}: {self.series:>4} series, {self.meaning}"


def rows(rounds: Sequence[Round]) -> list[Row]:
    """Return a row for each kind of load."""
    return [_row(case, [one.pairs[case] for one in rounds]) for case in rounds[0].pairs]


def bars(rounds: Sequence[Round]) -> list[Bar]:
    """Return each bar, for one series and for many."""
    return [bar for series in (1, MANY) for bar in _bars(series, rounds)]


def table(rounds: Sequence[Round]) -> str:
    """Return the rows and, last, the disk's own rate as text."""
    lines = [_line(_HEAD), *(_line(_cells(row)) for row in rows(rounds))]
    return "\n".join([*lines, _line(_disk_cells(rounds))])


def as_json(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return everything: medians, bars, and each round's own figures."""
    return {
        "rows": [asdict(row) for row in rows(rounds)],
        "disk": _disk(rounds),
        "bars": [
            {**asdict(bar), "figure": bar.figure, "reached": bar.reached} for bar in bars(rounds)
        ],
        "rounds": [
            {
                "disk": asdict(one.disk),
                "loads": [{**asdict(case), **asdict(pair)} for case, pair in one.pairs.items()],
            }
            for one in rounds
        ],
    }


def _row(case: Case, pairs: Sequence[Pair]) -> Row:
    def median(figure: Callable[[Pair], float]) -> float:
        return statistics.median(figure(pair) for pair in pairs)

    return Row(
        series=_series(case.series),
        keep_alive=case.keep_alive,
        clients=case.clients,
        empty_per_second=median(lambda pair: pair.empty.per_second),
        real_per_second=median(lambda pair: pair.real.per_second),
        ratio=median(_real_to_empty),
        empty_median_ms=median(lambda pair: pair.empty.median_ms),
        real_median_ms=median(lambda pair: pair.real.median_ms),
        empty_p99_ms=median(lambda pair: pair.empty.p99_ms),
        real_p99_ms=median(lambda pair: pair.real.p99_ms),
        failed=sum(pair.empty.failed + pair.real.failed for pair in pairs),
    )


def _bars(series: int, rounds: Sequence[Round]) -> list[Bar]:
    lone, some, crowd = (Case(series, True, clients) for clients in (LONE, SOME, CROWD))

    def bar(
        meaning: str,
        at_least: bool,
        limit: float,
        needs: set[Case],
        ratio: Callable[[Round], float],
    ) -> Bar:
        ratios = [ratio(one) for one in rounds if needs <= one.pairs.keys()]
        return Bar(meaning, _series(series), at_least, limit, ratios)

    return [
        bar(
            f"{SOME} clients: numbers a second / the empty app's answers a second",
            *(True, 0.8, {some}),
            lambda one: _real_to_empty(one.pairs[some]),
        ),
        bar(
            f"numbers a second with {CROWD} clients / with {SOME}",
            *(True, 0.7, {some, crowd}),
            lambda one: one.pairs[crowd].real.per_second / one.pairs[some].real.per_second,
        ),
        bar(
            "a lone client: median latency / (two syncs + the empty app's)",
            *(False, 1.5, {lone}),
            lambda one: (
                one.pairs[lone].real.median_ms
                / (2 * one.disk.median_ms + one.pairs[lone].empty.median_ms)
            ),
        ),
    ]


def _real_to_empty(pair: Pair) -> float:
    return pair.real.per_second / pair.empty.per_second


def _disk(rounds: Sequence[Round]) -> dict[str, float]:
    return {
        name: statistics.median(asdict(one.disk)[name] for one in rounds)
        for name in ("per_second", "median_ms", "p99_ms")
    }


def _series(count: int) -> str:
    return "one" if count == 1 else "many"


_HEAD = (
    *("series", "keep-alive", "clients", "empty/s", "numbers/s", "ratio"),
    *("empty p50", "p50 ms", "empty p99", "p99 ms", "failed"),
)


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.rjust(len(head)) for head, cell in zip(_HEAD, cells, strict=True))


def _cells(row: Row) -> list[str]:
    times = (row.empty_median_ms, row.real_median_ms, row.empty_p99_ms, row.real_p99_ms)
    return [
        *(row.series, "yes" if row.keep_alive else "no", str(row.clients)),
        *(f"{row.empty_per_second:.0f}", f"{row.real_per_second:.0f}", f"{row.ratio:.2f}"),
        *(f"{milliseconds:.2f}" for milliseconds in times),
        str(row.failed),
    ]


def _disk_cells(rounds: Sequence[Round]) -> list[str]:
    disk = _disk(rounds)
    syncs, median, p99 = f"{disk['per_second']:.0f}", disk["median_ms"], disk["p99_ms"]
    return ["disk", "", "", "", syncs, "", "", f"{median:.2f}", "", f"{p99:.2f}", ""]
