"""What became of a region: changes of code and name between two editions of a scheme other than `gemeente`.

Editions do not tell in which year something changed, so a change is dated on 1 January of the first edition that
shows it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

from app.domain.periods import MembershipPeriod, new_year
from app.domain.reference import RegionName, Succession

Places = Mapping[str, set[str]]
"""Region → municipalities."""


def region_successions(
    names: Iterable[RegionName], memberships: Iterable[MembershipPeriod], successors: Mapping[str, tuple[str, ...]]
) -> Iterator[Succession]:
    """Successions of regions. `successors` says which municipalities an abolished one became.

    A code that is gone went to the regions that now hold its municipalities: `rename` if its only successor is new and
    holds nothing else, `merger` if there is one successor, `split` if there are more. A new code that took from a
    region that still exists is a `boundary-change`. The same code with another name is a `rename` to itself.
    """
    called: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        called[name.scheme][name.year][name.code] = name.name
    rows: dict[str, list[MembershipPeriod]] = defaultdict(list)
    for row in memberships:
        rows[row.scheme].append(row)
    for scheme, editions in called.items():
        years = sorted(editions)
        for before, after in pairwise(years):
            old, new = editions[before], editions[after]
            on = new_year(after)
            if old.keys() != new.keys():
                yield from _moved(old, new, on, rows[scheme], successors)
            for code in sorted(old.keys() & new.keys()):
                if old[code] != new[code]:
                    yield Succession(on, code, old[code], code, new[code], "rename")


def _moved(
    old: Mapping[str, str],
    new: Mapping[str, str],
    on: date,
    rows: Iterable[MembershipPeriod],
    successors: Mapping[str, tuple[str, ...]],
) -> Iterator[Succession]:
    rows = list(rows)
    now = _places(rows, on)
    whereabouts: dict[str, set[str]] = defaultdict(set)
    for region, municipalities in now.items():
        for municipality in municipalities:
            whereabouts[municipality].add(region)
    went: dict[str, set[str]] = {}
    for region, municipalities in _places(rows, on - timedelta(days=1)).items():
        # A municipality that merged on the same day is where its successors are.
        today = {s for m in municipalities for s in ((m,) if m in whereabouts else successors.get(m, ()))}
        went[region] = {place for municipality in today for place in whereabouts.get(municipality, ())}
    for region in sorted(went):
        if region not in new:
            change = _change(region, went, new.keys() - old.keys())
            for successor in sorted(went[region]):
                yield Succession(on, region, old[region], successor, new[successor], change)
        else:
            for successor in sorted(went[region] - old.keys()):
                yield Succession(on, region, old[region], successor, new[successor], "boundary-change")


def _change(region: str, went: Mapping[str, set[str]], fresh: set[str]) -> str:
    if len(went[region]) > 1:
        return "split"
    (successor,) = went[region] or {""}
    alone = [other for other, places in went.items() if successor in places] == [region]
    return "rename" if alone and successor in fresh else "merger"


def _places(rows: Iterable[MembershipPeriod], day: date) -> Places:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.valid_from <= day < row.valid_to:
            found[row.region].add(row.municipality)
    return found
