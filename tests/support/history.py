"""What clients were answered, and whether all of it can be true."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Answer:
    """A number that was answered."""

    series: str
    value: int
    begin: float
    """When it was asked for, for the first time."""
    end: float
    name: str | None = None
    """The Idempotency-Key or the token; None for a read."""


def contradictions(answers: Iterable[Answer], kept: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what cannot be true; `kept` has the number of each name in each series, at the end."""
    found = list[str]()
    by_series = defaultdict[str, list[Answer]](list)
    for answer in answers:
        by_series[answer.series].append(answer)
    for series, its in by_series.items():
        taken = [answer for answer in its if answer.name is not None]
        found += _two_numbers(series, taken)
        found += _twice(series, taken)
        found += _lost(series, taken, kept.get(series, {}))
        found += _back(series, its)
    for series, names in kept.items():
        if sorted(names.values()) != list(range(1, len(names) + 1)):
            found.append(f"{series}: its {len(names)} numbers are not each kept once")
    return found


def longest_pause(answers: Iterable[Answer], begin: float, end: float) -> float:
    """Return the longest time without a number that reaches into these times, up to their end."""
    ends = sorted(
        answer.end for answer in _first_answers(answers) if begin - 10 < answer.end < end + 60
    )
    pauses = [
        min(after, end) - before
        for before, after in pairwise(ends)
        if after > begin and before < end
    ]
    return max(pauses, default=float("inf"))


def _first_answers(answers: Iterable[Answer]) -> list[Answer]:
    """Return the answers that brought a new number: no reads, and no repeats of an answer."""
    first = dict[tuple[str, str], Answer]()
    for answer in answers:
        if answer.name is not None:
            first.setdefault((answer.series, answer.name), answer)
    return list(first.values())


def _two_numbers(series: str, taken: Iterable[Answer]) -> list[str]:
    numbers = defaultdict[str, set[int]](set)
    for answer in taken:
        numbers[str(answer.name)].add(answer.value)
    return [
        f"{series}: {name} got {sorted(values)}"
        for name, values in numbers.items()
        if len(values) > 1
    ]


def _twice(series: str, taken: Iterable[Answer]) -> list[str]:
    names = defaultdict[int, set[str]](set)
    for answer in taken:
        names[answer.value].add(str(answer.name))
    return [
        f"{series}: {value} was given twice, to {sorted(owners)}"
        for value, owners in names.items()
        if len(owners) > 1
    ]


def _lost(series: str, taken: Iterable[Answer], kept: Mapping[str, int]) -> list[str]:
    return [
        f"{series}: {answer.name} was answered {answer.value}, but it has {kept.get(answer.name)}"
        for answer in taken
        if answer.name is not None and kept.get(answer.name) != answer.value
    ]


def _back(series: str, its: Iterable[Answer]) -> list[str]:
    """Return what was asked for after a number was seen, and answered with one that is older."""
    by_end = sorted(its, key=lambda answer: answer.end)
    ends = [answer.end for answer in by_end]
    newest = list[int]()
    for answer in by_end:
        newest.append(max(answer.value, newest[-1] if newest else 0))
    firsts = {id(answer) for answer in _first_answers(by_end)}
    found = list[str]()
    for answer in by_end:
        before = bisect_left(ends, answer.begin)
        seen = newest[before - 1] if before else 0
        if answer.name is None and answer.value < seen:
            found.append(f"{series}: a read began after {seen} was seen, and got {answer.value}")
        elif id(answer) in firsts and answer.value <= seen:
            found.append(f"{series}: {answer.name} began after {seen} was seen: {answer.value}")
    return found
