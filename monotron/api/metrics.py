"""`/metrics`: the service's metrics, for Prometheus.

The official client library writes them, in the format that the caller asks for. They come from the
memory that all workers share, so every worker gives the same answer.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import ClassVar

import falcon
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from monotron import __version__
from monotron.api.about import SERVICE
from monotron.api.description import Answer, Calls, Description, Tag
from monotron.api.health import probe_store
from monotron.api.openapi.components import schema
from monotron.api.openapi.parameters import NO_STORE
from monotron.core.scopes import Operation, ScopeResource
from monotron.measures import MEASURES, Measure, Measures, WorkerSlot
from monotron.store.contract import Figure, Store, StoreError

OPENMETRICS = "application/openmetrics-text"

_READY = "# TYPE monotron_ready gauge\nmonotron_ready 1.0\n"

_FORMATS = Answer(
    {
        choose_encoder("")[1]: schema("Metrics", {"type": "string"}, _READY),
        choose_encoder(OPENMETRICS)[1]: schema(
            "OpenMetrics", {"type": "string"}, f"{_READY}# EOF\n"
        ),
    },
    (NO_STORE,),
)


class Metrics:
    """All metrics."""

    tag: ClassVar[Tag] = SERVICE
    calls: ClassVar[Calls] = {
        "GET": Description(
            "getMetrics",
            "Metrics for Prometheus; as OpenMetrics for clients that accept it",
            _FORMATS,
            needs=(Operation.READ, ScopeResource.SYSTEM),
        )
    }

    def __init__(
        self, store: Store, slot: WorkerSlot, figures: Callable[[], Iterable[Figure]] | None = None
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Measured(slot.all))
        self._registry.register(_Store(store, figures))
        self._registry.register(_Build())

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with OpenMetrics if `Accept` names it, else with Prometheus's text format."""
        # The library fails on a malformed version in `Accept`, so it never sees the header itself.
        encode, content_type = choose_encoder(OPENMETRICS if OPENMETRICS in req.accept else "")
        resp.data = encode(self._registry)
        resp.content_type = content_type
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


class _Measured(Collector):
    """The workers' counts and times."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        families = {measure: _family(measure) for measure in MEASURES}
        for (measure, labels), numbers in sorted(self._measures.read().items(), key=_by_labels):
            family = families[measure]
            if isinstance(family, HistogramMetricFamily):
                *counts, total = numbers
                bounds = [*map(floatToGoString, measure.buckets), "+Inf"]
                family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
            else:
                family.add_metric(labels, numbers[0])
        return iter(families.values())


class _Store(Collector):
    """Whether the store can be used, and its engine's figures."""

    def __init__(self, store: Store, figures: Callable[[], Iterable[Figure]] | None) -> None:
        self._store = store
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "monotron_ready",
            "1 if the store can be read and written, as /readyz reports; else 0.",
            float(self._is_ready()),
        )
        if self._figures is None:
            return
        try:
            figures = list(self._figures())
        except StoreError:
            # `monotron_ready` reports it. All other metrics are still useful.
            return
        yield from _of_engine(figures)

    def _is_ready(self) -> bool:
        try:
            probe_store(self._store)
        except StoreError:
            return False
        return True


class _Build(Collector):
    """The running version."""

    def collect(self) -> Iterator[Metric]:
        versions = {"version": __version__, "python_version": platform.python_version()}
        yield InfoMetricFamily("monotron_build", "The running version.", versions)


def _family(
    measure: Measure,
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if measure.kind == "counter":
        return CounterMetricFamily(measure.name, measure.meaning, labels=measure.labels)
    if measure.kind == "gauge":
        return GaugeMetricFamily(measure.name, measure.meaning, labels=measure.labels)
    return HistogramMetricFamily(measure.name, measure.meaning, labels=measure.labels)


def _by_labels(row: tuple[tuple[Measure, tuple[str, ...]], list[float]]) -> tuple[str, ...]:
    return row[0][1]


def _of_engine(figures: Iterable[Figure]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for each in figures:
        labels = {} if each.table is None else {"table": each.table.decode()}
        family = families.setdefault(
            each.name,
            GaugeMetricFamily(f"monotron_store_{each.name}", each.meaning, labels=tuple(labels)),
        )
        family.add_metric(tuple(labels.values()), each.value)
    return iter(families.values())
