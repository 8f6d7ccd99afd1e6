"""Organisations of the life world and the system world: the public directory, and who may add to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args
from uuid import UUID

from app.domain.access import Actor, may_change_organisation, may_change_organisations
from app.domain.errors import Faults, Forbidden, NotFound
from app.domain.privacy import check as check_privacy
from app.domain.versions import check_version
from app.domain.work import Work

Side = Literal["life-world", "system-world"]
Strand = Literal["patients", "client-councils", "citizens"]
OrganisationType = Literal[
    "patientenorganisatie",
    "gehandicaptenplatform",
    "rco",
    "zelfregie-en-herstelcentrum",
    "clientenraad",
    "adviesraad-sociaal-domein",
    "ouderenbond",
    "mantelzorgorganisatie",
    "bewonersinitiatief",
    "zorgcooperatie",
    "wijkplatform",
    "gemeente",
    "zorgverzekeraar",
    "zorgkantoor",
    "ziekenhuis",
    "zorgaanbieder",
    "welzijnsorganisatie",
    "ggd",
    "overlegtafel",
    "kennisorganisatie",
    "overig",
]

_URL = re.compile(r"https?://[^\s/@]+\.[^\s/@]+(/[^\s@]*)?\Z")
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation, no people. `regions` are codes of any scheme, `workfield` a code or None for cross-cutting."""

    id: UUID
    name: str
    type: str
    side: str
    strand: str | None = None
    workfield: str | None = None
    regions: tuple[str, ...] = ()
    website: str | None = None
    created_by_hub: str | None = None
    demonstration: bool = False
    source_key: str | None = None
    version: int = 1


async def create_organisation(work: Work, actor: Actor, organisation: Organisation) -> UUID:
    """Adds an organisation to the directory and returns its id. Raises `Forbidden`, `Invalid`."""
    if not may_change_organisations(actor):
        raise Forbidden("Hubs and the national coordination keep the directory of organisations.")
    organisation = replace(organisation, created_by_hub=actor.hub)
    await _check(work, organisation)
    await work.organisations.add(_tidy(organisation))
    return organisation.id


async def change_organisation(
    work: Work, actor: Actor, organisation_id: UUID, changes: dict[str, Any], version: int | None
) -> int:
    """Changes the given fields; the new version comes back. A hub changes what it added itself.

    Raises `NotFound`, `Forbidden`, `Stale`, `VersionRequired`, `Invalid`.
    """
    found = await work.organisations.find(organisation_id)
    if found is None:
        raise NotFound("There is no organisation with this id.")
    if not may_change_organisation(actor, found.created_by_hub):
        raise Forbidden("A hub changes the organisations that it added; the national coordination changes all.")
    present = await work.organisations.get(organisation_id)
    if present is None:
        raise NotFound("This organisation was removed a moment ago.")
    check_version(version, present.version)
    changed = replace(present, **changes)
    await _check(work, changed)
    changed = _tidy(changed)
    if changed == present:
        return present.version
    await work.organisations.change(changed)
    return present.version + 1


def _tidy(organisation: Organisation) -> Organisation:
    """Each region once. After the check, which names places in what was given."""
    return replace(organisation, regions=tuple(sorted(set(organisation.regions))))


async def _check(work: Work, organisation: Organisation) -> None:
    faults = Faults()
    if not organisation.name.strip():
        faults.add("body", "name", "required", "An organisation has a name.")
    check_privacy({"name": organisation.name}, faults)
    if organisation.type not in get_args(OrganisationType):
        faults.add("body", "type", "unknown-code", f"Known types: {', '.join(get_args(OrganisationType))}.")
    if organisation.side not in get_args(Side):
        faults.add("body", "side", "unknown-code", "A side is life-world or system-world.")
    if organisation.strand is not None and organisation.strand not in get_args(Strand):
        faults.add("body", "strand", "unknown-code", f"Known strands: {', '.join(get_args(Strand))}.")
    if organisation.workfield is not None:
        await check_terms(work, "workfield", [organisation.workfield], "workfield", faults)
    unknown = await work.codes.unknown_regions(organisation.regions)
    for index, code in enumerate(organisation.regions):
        if code in unknown:
            faults.add("body", f"regions[{index}]", "unknown-code", "There is no region with this code.")
    check_website(organisation.website, "website", faults)
    faults.raise_if_any()


async def check_terms(work: Work, vocabulary: str, codes: list[str], location: str, faults: Faults) -> None:
    """A fault for each code that the vocabulary does not have."""
    unknown = await work.codes.unknown_terms(vocabulary, codes)
    for code in codes:
        if code in unknown:
            faults.add("body", location, "unknown-code", f"There is no {vocabulary} with this code.")


def check_website(address: str | None, location: str, faults: Faults) -> None:
    """A fault unless it is a plain http(s) address without a user in it."""
    if address is not None and not _URL.match(address):
        faults.add("body", location, "invalid-address", "Give an address that begins with https:// and names a host.")
