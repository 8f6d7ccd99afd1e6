"""What `/metrics` shows: requests by route and status, how long they took, and whether the database is ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import REGISTRY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

# Gauge → what it says, of each instance whose changes are taken over. The same for all processes: it is in the database.
SOURCE_MEASURES = {
    "paused": "1 when its changes are not taken over for now.",
    "failures": "Times in a row that it could not be read.",
    "received": "Changes taken over since it was added.",
    "refused": "Resources that could not be taken over as they are.",
    "behind_seconds": "Time since all of it was here.",
}


class Measures:
    def __init__(
        self,
        ready: Callable[[], bool],
        waiting: Callable[[], float] = lambda: 0,
        held_back: Callable[[], float] = lambda: 0,
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "knooppunt_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "knooppunt_request_seconds", "Time to answer.", ["route"], buckets=BUCKETS, registry=self._registry
        )
        Gauge("knooppunt_database_ready", "1 when the database answers.", registry=self._registry).set_function(
            lambda: float(ready())
        )
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
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request."""
        key = (method, route, status)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                self._requests.labels(method if len(method) < 8 else "other", route, str(status)),
                self._seconds.labels(route),
            )
        found[0].inc()
        found[1].observe(seconds)

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
