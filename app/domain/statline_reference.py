"""An edition from StatLine as rows of the reference set, so that it is verified and loaded like every other edition."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

from app.domain.reference import Edition, Membership, Municipality, ReferenceData, RegionName, Succession
from app.domain.statline_known import ImportedEdition
from app.domain.statline_preview import Preview

LICENCE = "CC BY 4.0"


def as_reference(preview: Preview, base: ReferenceData) -> ReferenceData:
    """The given set plus what is new in the edition; the set itself where there is nothing to do.

    Schemes that the table does not have are untouched. `digest` is derived from that of the base and from the content
    of the edition. Raises `Invalid` when the preview has faults.
    """
    preview.raise_if_wrong()
    edition = preview.edition
    new = [scheme.scheme for scheme in preview.schemes if scheme.status == "new"]
    successions = base.successions + preview.derived
    lists = {municipality.year for municipality in base.municipalities}
    municipalities = () if edition.year in lists else _municipalities(edition, base, successions)
    if not new and not municipalities:
        return base
    # Only a set that lists the municipalities as an edition gets one more: a list may be there to check mergers alone.
    listed = ["gemeente"] if municipalities and any(e.scheme == "gemeente" for e in base.editions) else []
    regions = tuple(_region(base, edition, scheme, code) for scheme in new for code in edition.region_names[scheme])
    memberships = tuple(
        Membership(scheme, edition.year, municipality, region)
        for scheme in new
        for municipality, region in sorted(edition.schemes[scheme].items())
    )
    editions = tuple(_edition(edition, scheme) for scheme in [*listed, *new])
    return replace(
        base,
        digest=_digest(base.digest, editions, regions, memberships, municipalities, preview.derived),
        editions=base.editions + editions,
        regions=base.regions + regions,
        memberships=base.memberships + memberships,
        municipalities=base.municipalities + municipalities,
        successions=successions,
    )


def _edition(edition: ImportedEdition, scheme: str) -> Edition:
    source = " ".join(filter(None, ["CBS StatLine", edition.table_id]))
    remark = "read by region name" if scheme in edition.by_names else ""
    return Edition(scheme, edition.year, "direct", source, LICENCE, remark)


def _region(base: ReferenceData, edition: ImportedEdition, scheme: str, code: str) -> RegionName:
    """The region under its name in the table; what else is said of it (other names) is kept from the latest edition."""
    name = edition.region_names[scheme][code]
    known = [region for region in base.regions if region.scheme == scheme and region.code == code]
    if not known:
        return RegionName(scheme, code, edition.year, name)
    return replace(max(known, key=lambda region: region.year), year=edition.year, name=name)


def _municipalities(
    edition: ImportedEdition, base: ReferenceData, successions: tuple[Succession, ...]
) -> tuple[Municipality, ...]:
    latest: dict[str, Municipality] = {}
    for row in sorted(base.municipalities, key=lambda row: (row.population is not None, row.year)):
        latest[row.code] = row
    listed = []
    for code, name in sorted(edition.municipalities.items()):
        count, counted_on = _population(code, edition.year, latest, successions)
        row = (
            replace(latest[code], year=edition.year, name=name)
            if code in latest
            else Municipality(edition.year, code, name)
        )
        listed.append(replace(row, population=count, population_date=counted_on, population_from=None))
    return tuple(listed)


def _population(
    code: str, year: int, latest: dict[str, Municipality], successions: tuple[Succession, ...]
) -> tuple[int | None, date | None]:
    """The latest figure for this code with its date, plus those of the municipalities it took in since, as a whole.

    Unknown where a part was taken in, or where the figure already counts a municipality that joined after this year.
    """
    row, here = latest.get(code), date(year, 1, 1)
    counts = row.population_from or date(row.year, 1, 1) if row else date.min
    joined = [s for s in successions if s.successor == code and s.predecessor != code and s.change != "boundary-change"]
    if any(here < s.on <= counts for s in joined):
        return None, None
    gained = [s for s in joined if counts < s.on <= here]
    if (row is None and not gained) or any(s.change == "split" for s in gained):
        return None, None
    figures = [(row.population, row.population_date)] if row else []
    figures += [_population(s.predecessor, s.on.year - 1, latest, successions) for s in gained]
    if any(count is None for count, _ in figures):
        return None, None
    return sum(count or 0 for count, _ in figures), min((on for _, on in figures if on), default=None)


def _digest(base: str, *parts: tuple[object, ...]) -> str:
    """A sha256 over the digest of the base and the rows that were added: the same import gives the same digest."""
    total = hashlib.sha256(base.encode())
    for part in parts:
        for row in part:
            total.update(repr(row).encode())
    return total.hexdigest()
