"""Server, worker and PostgreSQL of two instances are killed while signals go over a bad network from the one to the
other. The full size is `python -m bench.faults`."""

from __future__ import annotations

import asyncio

from bench.faults import Scene


def test_two_instances_end_the_same_whatever_is_killed():
    with Scene(safe=False) as scene:
        outcome = asyncio.run(scene.run(400, 6, 0.8))
    assert sorted(outcome.killed) == ["here postgres", "here serve", "here worker", "home postgres", "home serve"]
    assert outcome.same
    assert (outcome.held, outcome.doubled, outcome.counts_differ) == (400, 0, 0)
    assert outcome.network["passed"] < outcome.network.total()
