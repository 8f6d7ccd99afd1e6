"""The race of `bench/race.py`, smaller: 20 writers, 5 readers, and nobody misses anything or hears it twice."""

from __future__ import annotations

from bench.race import race


async def test_each_reader_ends_with_exactly_what_he_may_see(writing_house):
    readings, counts, faults = await race(
        writing_house.addresses.service,
        writing_house.client,
        changes=2_500,
        writers=20,
        seed=7,
        owner=writing_house.addresses.owner,
    )
    assert faults == []
    assert counts["changed"] > 1_000
    assert counts["rolled back"] > 20
    assert counts["deleted"] > 20
    assert counts["compacted"] > 100
    assert readings["other-hub"].counts["hidden"] > 20, "the race would prove little where nobody loses sight"
    assert {reading.counts["delete"] > 0 for reading in readings.values()} == {True}
