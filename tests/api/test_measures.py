"""What `/metrics` tells."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from app.api.measures import Measures


def samples(measures):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(measures.exposition().decode())
        for sample in family.samples
        if sample.name.startswith("knooppunt")
    }


def test_requests_are_counted_by_method_route_and_status_and_timed_by_route():
    ready = []
    measures = Measures(lambda: bool(ready))
    for seconds in (0.001, 0.0011, 20):
        measures.record("GET", "/v1/hubs", 200, seconds)
    measures.record("PROPFINDED", "other", 405, 0)
    found = samples(measures)
    assert found["knooppunt_requests_total", ("method", "GET"), ("route", "/v1/hubs"), ("status", "200")] == 3
    assert found["knooppunt_requests_total", ("method", "other"), ("route", "other"), ("status", "405")] == 1
    hubs = ("route", "/v1/hubs")
    buckets = {
        le: found["knooppunt_request_seconds_bucket", ("le", le), hubs] for le in ("0.001", "0.002", "10.0", "+Inf")
    }
    assert buckets == {"0.001": 1, "0.002": 2, "10.0": 2, "+Inf": 3}  # a bucket holds its bound
    assert found["knooppunt_request_seconds_count", hubs] == 3
    assert found["knooppunt_request_seconds_sum", hubs] == 0.001 + 0.0011 + 20
    assert found["knooppunt_database_ready",] == 0
    ready.append(1)
    assert samples(measures)["knooppunt_database_ready",] == 1
