"""Hubs: what they are made of, the rules of the advice report, and who may change them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any, Literal, get_args
from uuid import UUID

from app.domain.access import Actor, may_change_hub, may_change_network
from app.domain.areas import HUB_AREAS, MUNICIPALITIES, area_history
from app.domain.errors import Conflict, Fault, Faults, Forbidden, Invalid, NotFound
from app.domain.hub_areas import hub_region_periods
from app.domain.organisations import check_terms, check_website
from app.domain.periods import FOREVER
from app.domain.privacy import check as check_privacy
from app.domain.reference import Area
from app.domain.versions import check_version
from app.domain.work import Work

ProgrammePhase = Literal["kwartiermaken", "voorbereiding", "expeditie", "uitvoering"]
PHASES: tuple[str, ...] = get_args(ProgrammePhase)
FrontrunnerRole = Literal["frontrunner", "follower"]
HostStatus = Literal["proposed", "confirmed"]
MemberStatus = Literal["member", "talking", "none"]

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
FIRST_DAY = date(2016, 1, 1)
LAST_DAY = date(2199, 12, 31)  # a typing error rather than a plan; and no two dates then meet at the end of time
MAX_PARTS = 400


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub with its dated phases and areas. Organisations by id, workfields and regions by code."""

    slug: str
    name: str
    basis: str = "network"
    contact: str | None = None
    website: str | None = None
    frontrunner_role: str | None = None
    frontrunner: str | None = None
    phases: tuple[tuple[str, date], ...] = ()
    hosts: tuple[tuple[UUID, str], ...] = ()
    steering_group: tuple[tuple[str, UUID], ...] = ()
    areas: tuple[Area, ...] = ()
    area_code: str = ""
    demonstration: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation in the network of a hub, since a date."""

    organisation_id: UUID
    status: str = "member"
    strand: str | None = None
    since: date | None = None


async def create_hub(work: Work, actor: Actor, hub: Hub) -> str:
    """Adds a hub with its first area and returns its slug. Raises `Forbidden`, `Conflict`, `Invalid`."""
    if not may_change_network(actor):
        raise Forbidden("The national coordination adds hubs.")
    faults = Faults()
    if not SLUG.match(hub.slug):
        faults.add("body", "slug", "invalid-slug", "A slug is lower case letters, digits and single hyphens.")
    await _check(work, hub, faults)
    for area in hub.areas:
        await _check_area(work, area, "area.", faults)
    faults.raise_if_any()
    if await work.hubs.exists(hub.slug):
        raise Conflict("There is a hub with this slug already.", code="already-exists")
    hub = replace(_tidy(hub), area_code=await work.hubs.next_area_code())
    await work.hubs.add(hub)
    await _work_out_area(work, hub, "area.regions")
    return hub.slug


async def change_hub(work: Work, actor: Actor, slug: str, changes: dict[str, Any], version: int | None) -> int:
    """Changes the given fields; the new version comes back. Raises as `hub_to_change`, and `Invalid`."""
    present = await hub_to_change(work, actor, slug, version)
    changed = replace(present, **changes)
    faults = Faults()
    await _check(work, changed, faults)
    faults.raise_if_any()
    changed = _tidy(changed)
    if changed == present:
        return present.version
    await work.hubs.change(changed)
    if changed.name != present.name:  # the region of its area bears its name
        await _work_out_area(work, changed)
    return present.version + 1


async def set_area(work: Work, actor: Actor, slug: str, area: Area, version: int | None) -> int:
    """From `area.valid_from` on the hub covers this area; what held before stays readable as of then."""
    present = await hub_to_change(work, actor, slug, version)
    faults = Faults()
    await _check_area(work, area, "", faults)
    faults.raise_if_any()
    kept = tuple(a for a in present.areas if a.valid_from < area.valid_from)
    changed = _tidy(replace(present, areas=(*kept, area)))
    if changed == present:
        return present.version
    await work.hubs.change(changed)
    await _work_out_area(work, changed, "regions")
    return present.version + 1


async def put_member(work: Work, actor: Actor, slug: str, member: Member, version: int | None) -> bool:
    """Makes the organisation a member, or changes how it is one. True when it is new."""
    present = await hub_to_change(work, actor, slug, version, version_needed=False)
    faults = Faults()
    if await work.organisations.unknown([member.organisation_id]):
        raise NotFound("There is no organisation with this id.")
    if member.status not in get_args(MemberStatus):
        faults.add("body", "status", "unknown-code", f"A status is one of {', '.join(get_args(MemberStatus))}.")
    faults.raise_if_any()
    added = await work.hubs.put_member(slug, member)
    await work.hubs.change(present)
    return added


async def remove_member(work: Work, actor: Actor, slug: str, organisation_id: UUID, version: int | None) -> None:
    """Takes an organisation out of the network of the hub. Raises `NotFound` when it was not in it."""
    present = await hub_to_change(work, actor, slug, version, version_needed=False)
    if not await work.hubs.remove_member(slug, organisation_id):
        raise NotFound("This organisation is not a member of the hub.")
    await work.hubs.change(present)


async def hub_to_change(
    work: Work, actor: Actor, slug: str, version: int | None, *, version_needed: bool = True
) -> Hub:
    """The hub, locked, when the actor may change this version. Raises `NotFound`, `Forbidden`, `Stale`, `VersionRequired`."""
    if not await work.hubs.exists(slug):
        raise NotFound("There is no hub with this slug.")
    if not may_change_hub(actor, slug):
        raise Forbidden("A hub is changed by itself or by the national coordination.")
    present = await work.hubs.get(slug)
    if present is None:
        raise NotFound("This hub was removed a moment ago.")
    if version is not None or version_needed:
        check_version(version, present.version)
    return present


def _tidy(hub: Hub) -> Hub:
    """Everything once, in the order in which it is kept. After the check, which names places in what was given."""
    areas = (
        replace(
            a, regions=tuple(sorted(set(a.regions))), plus=tuple(sorted(set(a.plus))), minus=tuple(sorted(set(a.minus)))
        )
        for a in hub.areas
    )
    return replace(
        hub,
        phases=tuple(sorted(hub.phases, key=lambda phase: phase[1])),
        hosts=tuple(dict(hub.hosts).items()),
        steering_group=tuple(sorted(set(hub.steering_group))),
        areas=tuple(areas),
    )


async def _work_out_area(work: Work, hub: Hub, location: str = "") -> None:
    """Writes what the areas come to. Raises `Invalid` about `location` when the latest one holds no municipality."""
    material = await work.codes.material(hub.areas)
    members = area_history(
        hub.areas, FOREVER, material.memberships, region=hub.area_code, successions=material.successions
    )
    latest = max((area.valid_from for area in hub.areas), default=FOREVER)
    if location and not any(m.valid_from <= latest < m.valid_to for m in members):
        raise Invalid([Fault("body", location, "empty-area", "No municipality is left in this area.")])
    periods = hub_region_periods(hub.area_code, hub.name, members, material.years, material.counted_on)
    await work.hubs.put_area(hub, periods, members)


async def _check(work: Work, hub: Hub, faults: Faults) -> None:
    if not hub.name.strip():
        faults.add("body", "name", "required", "A hub has a name.")
    check_privacy({"name": hub.name}, faults)
    check_website(hub.website, "website", faults)
    check_website(hub.contact, "contact", faults)
    _check_phases(hub.phases, faults)
    await _check_frontrunner(work, hub, faults)
    await _check_organisations(work, [i for i, _ in hub.hosts], "hosts", faults)
    await _check_organisations(work, [i for _, i in hub.steering_group], "steeringGroup", faults)
    for index, (_, status) in enumerate(hub.hosts):
        if status not in get_args(HostStatus):
            faults.add("body", f"hosts[{index}].status", "unknown-code", "A host is proposed or confirmed.")
    await check_terms(work, "workfield", [w for w, _ in hub.steering_group], "steeringGroup", faults)


def _check_phases(phases: Sequence[tuple[str, date]], faults: Faults) -> None:
    """The phases follow each other as the programme has them; each begins after the one before."""
    for index, (phase, _) in enumerate(phases):
        if phase not in PHASES:
            faults.add("body", f"phases[{index}].phase", "unknown-code", f"Known phases: {', '.join(PHASES)}.")
            return
    if any(count > 1 for count in Counter(phase for phase, _ in phases).values()):
        faults.add("body", "phases", "repeated", "Each phase begins once.")
    ordered = sorted(phases, key=lambda item: PHASES.index(item[0]))
    for (_, earlier), (phase, later) in pairwise(ordered):
        if later <= earlier:
            faults.add("body", "phases", "wrong-order", f"The phase {phase} begins after the phase before it.")


async def _check_frontrunner(work: Work, hub: Hub, faults: Faults) -> None:
    if hub.frontrunner_role is not None and hub.frontrunner_role not in get_args(FrontrunnerRole):
        faults.add("body", "frontrunnerRole", "unknown-code", "A role is frontrunner or follower.")
    if hub.frontrunner is None:
        if hub.frontrunner_role == "follower":
            faults.add("body", "frontrunner", "required", "A follower names the frontrunner it goes along with.")
        return
    if hub.frontrunner_role != "follower":
        faults.add("body", "frontrunner", "not-a-follower", "Only a follower has a frontrunner.")
    if hub.frontrunner == hub.slug or not await work.hubs.exists(hub.frontrunner):
        faults.add("body", "frontrunner", "unknown-code", "There is no other hub with this slug.")


async def _check_organisations(work: Work, ids: Sequence[UUID], location: str, faults: Faults) -> None:
    unknown = await work.organisations.unknown(ids)
    for index, found in enumerate(ids):
        if found in unknown:
            faults.add(
                "body", f"{location}[{index}].organisation", "unknown-id", "There is no organisation with this id."
            )


async def _check_area(work: Work, area: Area, prefix: str, faults: Faults) -> None:
    """Regions of any scheme but other hubs' areas, municipalities added and left out, all there on the first day."""
    if area.valid_from < FIRST_DAY:
        faults.add("body", f"{prefix}from", "date-before-first-edition", f"Regions are known from {FIRST_DAY} on.")
    elif area.valid_from > LAST_DAY:
        faults.add("body", f"{prefix}from", "date-too-late", f"An area begins on {LAST_DAY} at the latest.")
    if not area.regions and not area.plus:
        faults.add("body", f"{prefix}regions", "required", "An area has at least one region or municipality.")
    if len(area.regions) + len(area.plus) + len(area.minus) > MAX_PARTS:
        faults.add("body", f"{prefix}regions", "too-many", f"An area is made of at most {MAX_PARTS} parts.")
        return
    day = min(max(area.valid_from, FIRST_DAY), LAST_DAY)
    known = await work.codes.regions_on({*area.regions, *area.plus, *area.minus}, day)
    for name, codes in (("regions", area.regions), ("plus", area.plus), ("minus", area.minus)):
        for index, code in enumerate(codes):
            scheme = known.get(code)
            location = f"{prefix}{name}[{index}]"
            if scheme is None:
                faults.add("body", location, "unknown-code", "There is no region with this code on that date.")
            elif name == "regions" and scheme == HUB_AREAS:
                faults.add("body", location, "hub-area", "An area is not made of the areas of hubs.")
            elif name != "regions" and scheme != MUNICIPALITIES:
                faults.add("body", location, "not-a-municipality", "Only municipalities are added or left out.")
    for index, code in enumerate(area.minus):
        if code in area.plus:
            faults.add("body", f"{prefix}minus[{index}]", "contradiction", "It is added and left out at once.")
