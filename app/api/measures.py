"""What `/metrics` shows: requests by route and status, how long they took, and whether the database is ready."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import REGISTRY, Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_BOUNDS = [*(str(float(bucket)) for bucket in BUCKETS), "+Inf"]

# Gauge → what it says, of each instance whose changes are taken over. The same for all processes: it is in the database.
SOURCE_MEASURES = {
    "paused": "1 when its changes are not taken over for now.",
    "failures": "Times in a row that it could not be read.",
    "received": "Changes taken over since it was added.",
    "refused": "Resources that could not be taken over as they are.",
    "behind_seconds": "Time since all of it was here.",
}


class _Times:
    """How long the requests of one route took: how many fell in each bucket, and the sum of seconds."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.seconds = 0.0


class Measures(Collector):
    """Plain numbers, made into metrics when somebody looks: the library's own counters lock for each request (2 µs)."""

    def __init__(
        self,
        ready: Callable[[], bool],
        waiting: Callable[[], float] = lambda: 0,
        held_back: Callable[[], float] = lambda: 0,
    ) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(self)
        Gauge("knooppunt_database_ready", "1 when the database answers.", registry=self._registry).set_function(
            lambda: float(ready())
        )
        self._requests: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, _Times] = {}
        Gauge("knooppunt_changes_waiting", "Requests that wait for changes.", registry=self._registry).set_function(
            waiting
        )
        Gauge(
            "knooppunt_change_horizon_age_seconds",
            "How long an open transaction has held the change log back.",
            registry=self._registry,
        ).set_function(held_back)
        self._sources = {
            name: Gauge(f"knooppunt_source_{name}", said, ["source"], registry=self._registry)
            for name, said in SOURCE_MEASURES.items()
        }

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request."""
        key = (method if len(method) < 8 else "other", route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = _Times()
        times.counts[bisect_left(BUCKETS, seconds)] += 1
        times.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """For the library."""
        requests = CounterMetricFamily("knooppunt_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), count in self._requests.items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily("knooppunt_request_seconds", "Time to answer.", labels=["route"])
        for route, times in self._times.items():
            buckets = [(bound, float(count)) for bound, count in zip(_BOUNDS, accumulate(times.counts), strict=True)]
            seconds.add_metric([route], buckets, times.seconds)
        yield seconds

    def show_sources(self, states: Sequence[Any]) -> None:
        """The instances whose changes are taken over, as they stand now; those that were removed are no longer shown."""
        for gauge in self._sources.values():
            gauge.clear()
        for state in states:
            for name, gauge in self._sources.items():
                gauge.labels(state.url).set(float(getattr(state, name.removesuffix("_seconds"))))

    def exposition(self) -> bytes:
        """The text format of Prometheus, this process alone."""
        return generate_latest(REGISTRY) + generate_latest(self._registry)
