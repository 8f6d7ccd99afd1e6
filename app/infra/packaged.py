"""The reference data that travels with the package: small CSV and JSON files in `app/data`, read into one set.

Any folder of the same layout can be read, so that a newer edition can be tried before it is packaged.
Layout and provenance: docs/reference-data.md.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from app.domain.reference import (
    Area,
    Edition,
    Label,
    Membership,
    Municipality,
    Postcode,
    ProposedHub,
    ProposedOrganisation,
    Published,
    ReferenceData,
    RegionName,
    Scheme,
    Succession,
    Term,
)

Row = dict[str, str]
Texts = dict[str, str]


def load(folder: Traversable | None = None) -> ReferenceData:
    """The whole packaged set, or the set in `folder`. `digest` is a sha256 over the names and bytes of the files."""
    contents = dict(sorted(_contents(folder or files("app") / "data")))
    texts = {name: content.decode() for name, content in contents.items()}
    manifest = json.loads(texts["manifest.json"])
    aliases = _aliases(texts)
    return ReferenceData(
        edition=manifest["edition"],
        digest=_digest(contents),
        terms=tuple(_terms(texts)),
        schemes=tuple(_schemes(texts)),
        editions=tuple(_editions(texts)),
        regions=tuple(_regions(texts, aliases)),
        memberships=tuple(_memberships(texts)),
        municipalities=tuple(_municipalities(texts, aliases)),
        successions=tuple(_successions(texts)),
        postcodes=tuple(_postcodes(texts)),
        hubs=tuple(_hub(hub) for hub in json.loads(texts["hubs.json"])),
        organisations=tuple(_organisations(texts)),
        population_source=manifest["population_source"],
        sources=tuple((row["title"], row["licence"]) for row in _rows(texts, "sources.csv")),
    )


def _contents(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name == "demonstration":  # invented, and no part of the reference set
            continue
        if entry.is_dir():
            yield from _contents(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".csv", ".json")):
            yield prefix + entry.name, entry.read_bytes()


def _digest(contents: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, content in contents.items():
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _rows(texts: Texts, name: str) -> Iterator[Row]:
    return csv.DictReader(io.StringIO(texts[name], newline=""))


def _several(value: str | None) -> tuple[str, ...]:
    """`a|b` → ("a", "b"); nothing → ()."""
    return tuple(value.split("|")) if value else ()


def _shares(value: str) -> Iterator[tuple[str, float]]:
    """`ROAZ06:0.5|ROAZ07:0.5` → code and share; a code alone has share 1."""
    for part in value.split("|"):
        code, _, share = part.partition(":")
        yield code, float(share or 1)


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def _number(value: str | None) -> int | None:
    return int(value) if value else None


def _flag(value: str | None) -> bool | None:
    return value == "yes" if value else None


def _label(row: Row, field: str) -> Label:
    return Label(row[f"{field}_nl"], row[f"{field}_en"])


def _terms(texts: Texts) -> Iterator[Term]:
    for name in texts:
        if not name.startswith("vocabularies/"):
            continue
        vocabulary = name.removeprefix("vocabularies/").removesuffix(".csv")
        for row in _rows(texts, name):
            yield Term(
                vocabulary=vocabulary,
                code=row["code"],
                rank=int(row["rank"]),
                label=_label(row, "label"),
                description=_label(row, "description"),
                parent=row.get("parent") or None,
                workfields=_several(row.get("workfields")),
                side=row.get("side") or None,
                organised=_flag(row.get("organised")),
                under_represented=_flag(row.get("under_represented")),
                example=_label(row, "example") if row.get("example_nl") else None,
                nearest_role=row.get("nearest_role") or None,
                basis=row.get("basis") or None,
                framework=row.get("framework") or None,
                level=row.get("level") or None,
            )


def _schemes(texts: Texts) -> Iterator[Scheme]:
    for row in _rows(texts, "schemes.csv"):
        yield Scheme(
            code=row["code"],
            rank=int(row["rank"]),
            name=_label(row, "name"),
            description=_label(row, "description"),
            code_prefix=row["prefix"],
            partition=row["partition"] == "yes",
            assumed_shares=row["assumed_shares"] == "yes",
        )


def _editions(texts: Texts) -> Iterator[Edition]:
    """Sources are spelled out: title and licence of each, instead of its number in sources.csv."""
    known = {row["id"]: row for row in _rows(texts, "sources.csv")}
    for row in _rows(texts, "editions.csv"):
        used = [known[number] for number in _several(row["sources"])]
        yield Edition(
            scheme=row["scheme"],
            year=int(row["year"]),
            method=row["method"],
            source="; ".join(source["title"] for source in used),
            licence="; ".join(dict.fromkeys(source["licence"] for source in used)),
            remark=row["remark"],
        )


def _aliases(texts: Texts) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in _rows(texts, "aliases.csv"):
        found[row["code"]] = (*found.get(row["code"], ()), row["alias"])
    return found


def _regions(texts: Texts, aliases: dict[str, tuple[str, ...]]) -> Iterator[RegionName]:
    for row in _rows(texts, "regions.csv"):
        for year in _several(row["years"]):
            yield RegionName(row["scheme"], row["code"], int(year), row["name"], aliases.get(row["code"], ()))


def _memberships(texts: Texts) -> Iterator[Membership]:
    for name in texts:
        if not name.startswith("memberships/"):
            continue
        year = int(name.removeprefix("memberships/").removesuffix(".csv"))
        for row in _rows(texts, name):
            municipality = row.pop("municipality")
            for scheme, value in row.items():
                if value and ":" not in value:
                    yield Membership(scheme, year, municipality, value)
                elif value:
                    for region, share in _shares(value):
                        yield Membership(scheme, year, municipality, region, share)


def _municipalities(texts: Texts, aliases: dict[str, tuple[str, ...]]) -> Iterator[Municipality]:
    for row in _rows(texts, "municipalities.csv"):
        for year in _several(row["years"]):
            yield Municipality(
                year=int(year),
                code=row["code"],
                name=row["name"],
                population=_number(row["population"]),
                population_date=_day(row["population_date"]),
                aliases=aliases.get(row["code"], ()),
                population_from=_day(row["population_from"]),
            )


def _successions(texts: Texts) -> Iterator[Succession]:
    for row in _rows(texts, "successions.csv"):
        yield Succession(
            on=date.fromisoformat(row["on"]),
            predecessor=row["predecessor"],
            predecessor_name=row["predecessor_name"],
            successor=row["successor"],
            successor_name=row["successor_name"],
            change=row["change"],
        )


def _postcodes(texts: Texts) -> Iterator[Postcode]:
    """The population is that of the whole postcode and stands with its main municipality."""
    for row in _rows(texts, "postcodes.csv"):
        for index, (municipality, share) in enumerate(_shares(row["municipalities"])):
            yield Postcode(
                pc4=row["pc4"],
                municipality=municipality,
                primary=index == 0,
                area_share=share,
                place=row["place"] or None,
                population=_number(row["population"]) if index == 0 else None,
            )


def _hub(hub: dict[str, Any]) -> ProposedHub:
    area, published = hub["area"], hub.get("published")
    return ProposedHub(
        slug=hub["slug"],
        name=hub["name"],
        area_code=hub["area_code"],
        basis=hub["basis"],
        area=Area(
            valid_from=date.fromisoformat(area["valid_from"]),
            regions=tuple(area["regions"]),
            plus=tuple(area.get("plus", ())),
            minus=tuple(area.get("minus", ())),
        ),
        published=Published(**{**published, "note": Label(**published["note"])}) if published else None,
        frontrunner_role=hub.get("frontrunner_role"),
        frontrunner=hub.get("frontrunner"),
        hosts=tuple(hub.get("hosts", ())),
        hosts_relation=hub.get("hosts_relation"),
        challenges=tuple(Label(**challenge) for challenge in hub.get("challenges", ())),
        expected=tuple((date.fromisoformat(on), count) for on, count in hub.get("expected", {}).items()),
    )


def _organisations(texts: Texts) -> Iterator[ProposedOrganisation]:
    for row in _rows(texts, "organisations.csv"):
        yield ProposedOrganisation(
            key=row["key"],
            name=row["name"],
            type=row["type"],
            side=row["side"],
            strand=row["strand"] or None,
            workfield=row["workfield"] or None,
            regions=_several(row["regions"]),
            basis=row["basis"],
            website=row["website"] or None,
        )
