"""What is wrong with a set of reference data, in sentences for whoever has to repair it.

Like findings about one edition are gathered into one sentence that names the first five. The checks of mergers and
memberships come first: if those fail, hub areas are not worked out, for the result would only repeat the cause.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from itertools import pairwise

from app.domain.municipalities import ENDING
from app.domain.periods import new_year
from app.domain.reference import Finding, Label, Membership, ReferenceData, Term
from app.domain.timeline import compute

METHODS = frozenset({"direct", "overlay_checked", "carried_checked", "carried", "computed", "advice-report"})
SHARE_TOLERANCE = 0.001
AREA_TOLERANCE = 0.02
"""Shares of postcode areas are rounded, and parts below 0.02 are left out."""

Found = Iterator[Finding]


def findings(data: ReferenceData) -> list[Finding]:
    """Every finding, in the order of the checks. An empty list means that the set may be loaded."""
    structural = [finding for check in (_schemes, _mergers, _memberships) for finding in check(data)]
    others = [finding for check in (_duplicates, _labels, _terms, _postcodes, _hubs) for finding in check(data)]
    return structural + others + ([] if structural else list(_hub_counts(data)))


def _schemes(data: ReferenceData) -> Found:
    prefixes = {scheme.code: scheme.code_prefix for scheme in data.schemes}
    editions = {(edition.scheme, edition.year) for edition in data.editions}
    for edition in data.editions:
        what = f"edition {edition.year} of {edition.scheme}"
        if edition.scheme not in prefixes:
            yield Finding("unknown-scheme", f"The {what} belongs to a scheme that does not exist.")
        if edition.method not in METHODS:
            yield Finding("unknown-method", f"The {what} has the unknown method {edition.method!r}.")
        if not edition.source or not edition.licence:
            yield Finding("no-provenance", f"The {what} does not say its source and licence.")
    for scheme in sorted(prefixes.keys() - {scheme for scheme, _ in editions}):
        yield Finding("no-edition", f"Scheme {scheme} has no edition at all.")
    for region in data.regions:
        prefix = prefixes.get(region.scheme)
        if (region.scheme, region.year) not in editions:
            yield Finding(
                "unknown-edition",
                f"Region {region.code} is named in {region.scheme} {region.year}, which is no edition.",
            )
        if prefix is None or not _fits(region.code, prefix):
            yield Finding("wrong-prefix", f"Region {region.code} of {region.scheme} should start with {prefix}.")
    for code in sorted({entry.code for entry in data.municipalities if not _fits(entry.code, "GM")}):
        yield Finding("wrong-prefix", f"Municipality {code} should start with GM.")


def _fits(code: str, prefix: str) -> bool:
    return code.startswith(prefix) and code[len(prefix) :].isdigit()


def _mergers(data: ReferenceData) -> Found:
    """The mergers must lead from each list of municipalities exactly to the next one, and name what exists."""
    names = {entry.code: f"{entry.code} {entry.name}" for entry in data.municipalities}
    lists: dict[int, set[str]] = defaultdict(set)
    for entry in data.municipalities:
        lists[entry.year].add(entry.code)
    if not lists:
        yield Finding("no-municipalities", "There is no list of municipalities.")
        return
    current = set(lists[min(lists)])
    days = sorted({succession.on for succession in data.successions})
    for before, after in pairwise(sorted(lists)):
        for day in (day for day in days if new_year(before) < day <= new_year(after)):
            today = [s for s in data.successions if s.on == day]
            gone = {s.predecessor for s in today if s.change in ENDING and s.predecessor != s.successor}
            for code in sorted({s.predecessor for s in today} - current):
                yield Finding(
                    "unknown-predecessor", f"{names.get(code, code)} changes on {day} but does not exist then."
                )
            current = (current - gone) | {s.successor for s in today if s.change in ENDING}
            for code in sorted({s.successor for s in today} - current):
                yield Finding(
                    "unknown-successor", f"{names.get(code, code)} gets territory on {day} but does not exist then."
                )
        listed = lists[after]
        if current - listed:
            yield Finding(
                "merger-missing",
                f"The list of {after} no longer has {_some(current - listed, names)}; no merger explains it.",
            )
        if listed - current:
            yield Finding(
                "merger-missing",
                f"The list of {after} newly has {_some(listed - current, names)}; no merger explains it.",
            )
        current = set(listed)


def _memberships(data: ReferenceData) -> Found:
    """Every municipality of the year in exactly one region (of a partition), every code known, shares complete."""
    editions: dict[tuple[str, int], list[Membership]] = {
        (edition.scheme, edition.year): []
        for edition in data.editions
        if edition.scheme not in ("gemeente", "participatiehub")
    }
    strays: Counter[tuple[str, int]] = Counter()
    for row in data.memberships:
        if (row.scheme, row.year) in editions:
            editions[row.scheme, row.year].append(row)
        else:
            strays[row.scheme, row.year] += 1
    for (scheme, year), number in strays.items():
        yield Finding("unknown-edition", f"{number} memberships belong to {scheme} {year}, which is no edition.")
    names = {entry.code: f"{entry.code} {entry.name}" for entry in data.municipalities}
    listed: dict[int, set[str]] = defaultdict(set)
    for entry in data.municipalities:
        listed[entry.year].add(entry.code)
    regions: dict[tuple[str, int], set[str]] = defaultdict(set)
    for region in data.regions:
        regions[region.scheme, region.year].add(region.code)
    partitions = {scheme.code for scheme in data.schemes if scheme.partition}
    for (scheme, year), rows in editions.items():
        yield from _edition(f"{scheme} {year}", rows, listed[year], regions[scheme, year], scheme in partitions, names)


def _edition(
    what: str, rows: list[Membership], listed: set[str], regions: set[str], partition: bool, names: dict[str, str]
) -> Found:
    places: dict[str, list[str]] = defaultdict(list)
    shares: dict[str, float] = defaultdict(float)
    for row in rows:
        places[row.municipality].append(row.region)
        shares[row.municipality] += row.share
    used = {row.region for row in rows}
    wrong = {code for code, share in shares.items() if abs(share - 1) > SHARE_TOLERANCE}
    wrong |= {row.municipality for row in rows if not 0 < row.share <= 1}
    twice = {code for code, found in places.items() if len(set(found)) < len(found)}
    several = {code for code, found in places.items() if len(set(found)) > 1} if partition else set()
    sentences: list[tuple[str, set[str], str]] = [
        ("unknown-region", used - regions, "municipalities are placed in regions that the edition does not name"),
        ("empty-region", regions - used, "these regions have no municipality"),
        ("unknown-municipality", places.keys() - listed, "these are not in the list of municipalities of that year"),
        ("gap", listed - places.keys(), "these municipalities have no region"),
        (
            "several-regions",
            several,
            "these municipalities lie in more than one region of a scheme that is a partition",
        ),
        ("double-membership", twice, "these municipalities are placed twice in the same region"),
        ("shares-not-one", wrong, "the shares of these municipalities do not add up to 1"),
    ]
    for code, concerned, sentence in sentences:
        if concerned:
            yield Finding(code, f"{what}: {sentence}: {_some(concerned, names)}.")


def _duplicates(data: ReferenceData) -> Found:
    yield from _twice("scheme", (scheme.code for scheme in data.schemes))
    yield from _twice("edition", ((edition.scheme, edition.year) for edition in data.editions))
    yield from _twice("term", ((term.vocabulary, term.code) for term in data.terms))
    yield from _twice("region", ((region.scheme, region.year, region.code) for region in data.regions))
    yield from _twice("municipality", ((entry.year, entry.code) for entry in data.municipalities))
    yield from _twice("succession", ((s.on, s.predecessor, s.successor) for s in data.successions))
    yield from _twice("postcode", ((row.pc4, row.municipality) for row in data.postcodes))
    yield from _twice("hub", (hub.slug for hub in data.hubs))
    yield from _twice("hub area", (hub.area_code for hub in data.hubs))
    yield from _twice("organisation", (organisation.key for organisation in data.organisations))


def _twice(what: str, keys: Iterable[Hashable]) -> Found:
    for key, number in Counter(keys).items():
        if number > 1:
            shown = " ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
            yield Finding("duplicate", f"The {what} {shown} occurs {number} times.")


def _labels(data: ReferenceData) -> Found:
    texts: list[tuple[str, Label | None]] = []
    for scheme in data.schemes:
        texts += [(f"name of scheme {scheme.code}", scheme.name)]
        texts += [(f"description of scheme {scheme.code}", scheme.description)]
    for term in data.terms:
        what = f"{term.vocabulary} {term.code}"
        texts += [(f"label of {what}", term.label), (f"description of {what}", term.description)]
        texts += [(f"example of {what}", term.example)]
    for hub in data.hubs:
        texts += [(f"challenge of hub {hub.slug}", challenge) for challenge in hub.challenges]
        texts += [(f"note on the published figures of hub {hub.slug}", hub.published.note if hub.published else None)]
    for what, text in texts:
        for language, value in (("Dutch", text.nl), ("English", text.en)) if text else ():
            if not value.strip():
                yield Finding("label-missing", f"The {what} is missing in {language}.")


def _terms(data: ReferenceData) -> Found:
    """Parents lie in the same vocabulary; workfields and roles in theirs."""
    codes: dict[str, set[str]] = defaultdict(set)
    for term in data.terms:
        codes[term.vocabulary].add(term.code)
    checks: list[tuple[str, Callable[[Term], Collection[str | None]], Callable[[Term], str]]] = [
        ("parent", lambda term: (term.parent,), lambda term: term.vocabulary),
        ("workfield", lambda term: term.workfields, lambda term: "workfield"),
        ("nearest role", lambda term: (term.nearest_role,), lambda term: "participation-role"),
        ("level", lambda term: (term.level,), lambda term: "participation-level"),
        (
            "ladder",
            lambda term: (term.framework,) if term.vocabulary == "participation-rung" else (),
            lambda term: "participation-ladder",
        ),
    ]
    for term in data.terms:
        for what, named, vocabulary in checks:
            for code in named(term):
                if code and code not in codes[vocabulary(term)]:
                    yield Finding("unknown-term", f"{term.vocabulary} {term.code} has the unknown {what} {code!r}.")
        if term.vocabulary == "umbrella" and not term.workfields:
            yield Finding("no-workfield", f"Umbrella {term.code} has no workfield, so nothing would be routed to it.")
    for organisation in data.organisations:
        if organisation.workfield and organisation.workfield not in codes["workfield"]:
            yield Finding("unknown-term", f"{organisation.name} has the unknown workfield {organisation.workfield!r}.")


def _postcodes(data: ReferenceData) -> Found:
    latest = max((entry.year for entry in data.municipalities), default=0)
    listed = {entry.code for entry in data.municipalities if entry.year == latest}
    lost = {row.pc4 for row in data.postcodes if row.municipality not in listed}
    primary = Counter(row.pc4 for row in data.postcodes if row.primary)
    shares: dict[str, float] = defaultdict(float)
    for row in data.postcodes:
        shares[row.pc4] += row.area_share
    unlike = {pc4 for pc4 in shares if not (len(pc4) == 4 and pc4.isdigit() and pc4[0] != "0")}
    wide = {pc4 for pc4, share in shares.items() if not 0 < share <= 1 + AREA_TOLERANCE}
    if lost:
        yield Finding(
            "postcode-nowhere",
            f"These postcodes lead to a municipality that is not in the list of {latest}: {_some(lost)}.",
        )
    if several := {pc4 for pc4 in shares if primary[pc4] != 1}:
        yield Finding(
            "postcode-primary", f"These postcodes do not have exactly one main municipality: {_some(several)}."
        )
    if unlike:
        yield Finding("postcode-form", f"These are not postcodes of four digits: {_some(unlike)}.")
    if wide:
        yield Finding(
            "postcode-shares", f"The shares of the area of these postcodes come to more than 1: {_some(wide)}."
        )


def _hubs(data: ReferenceData) -> Found:
    """Hubs name regions, municipalities, hubs and organisations that exist when the area begins."""
    slugs = {hub.slug for hub in data.hubs}
    organisations = {organisation.key for organisation in data.organisations}
    years: dict[str, list[int]] = defaultdict(list)
    for edition in data.editions:
        years[edition.scheme].append(edition.year)
    for hub in data.hubs:
        begin = hub.area.valid_from.year
        regions = {
            region.code
            for region in data.regions
            if region.year == max((year for year in years[region.scheme] if year <= begin), default=None)
        }
        codes = {entry.code for entry in data.municipalities}
        for code in sorted(set(hub.area.regions) - regions - codes):
            yield Finding("unknown-region", f"The area of hub {hub.slug} names {code}, which is no region in {begin}.")
        for code in sorted({*hub.area.plus, *hub.area.minus} - codes):
            yield Finding("unknown-municipality", f"The area of hub {hub.slug} names {code}, which is no municipality.")
        if not _fits(hub.area_code, "PH"):
            yield Finding("wrong-prefix", f"Area {hub.area_code} of hub {hub.slug} should start with PH.")
        if hub.frontrunner and hub.frontrunner not in slugs:
            yield Finding("unknown-hub", f"Hub {hub.slug} follows {hub.frontrunner!r}, which is no hub.")
        for key in sorted(set(hub.hosts) - organisations):
            yield Finding("unknown-organisation", f"Hub {hub.slug} names the host {key!r}, which is no organisation.")
    areas = {hub.area_code for hub in data.hubs}
    known = areas | {region.code for region in data.regions} | {entry.code for entry in data.municipalities}
    for organisation in data.organisations:
        for code in sorted(set(organisation.regions) - known):
            yield Finding("unknown-region", f"{organisation.name} works in {code}, which is no region.")


def _hub_counts(data: ReferenceData) -> Found:
    expected = [(hub, on, number) for hub in data.hubs for on, number in hub.expected]
    if not expected:
        return
    rows = [row for row in compute(data).memberships if row.scheme == "participatiehub"]
    for hub, on, number in expected:
        count = sum(1 for row in rows if row.region == hub.area_code and row.valid_from <= on < row.valid_to)
        if count != number:
            yield Finding(
                "area-count", f"The area of hub {hub.slug} has {count} municipalities on {on}; expected {number}."
            )


def _some(codes: Iterable[str], names: dict[str, str] | None = None) -> str:
    """The first five, and how many more."""
    shown = sorted(codes)
    text = ", ".join((names or {}).get(code, code) for code in shown[:5])
    return text if len(shown) <= 5 else f"{text} and {len(shown) - 5} more"
