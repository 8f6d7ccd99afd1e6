"""Columns of a hub's own export, as people name them in Dutch and English, and the fields of a signal they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.errors import Faults
from app.domain.text import fold

# Field of an item → what its column may be called, folded: lower case, no accents, one space between words.
NAMES: Mapping[str, tuple[str, ...]] = {
    "externalId": ("externalid", "external id", "extern id", "externe id", "id", "kenmerk", "nummer", "signaalnummer",
                   "eigen id", "referentie", "reference"),
    "kind": ("kind", "soort", "type", "soort signaal"),
    "title": ("title", "titel", "onderwerp", "kop", "subject"),
    "description": ("description", "omschrijving", "beschrijving", "toelichting", "tekst", "text", "signaal"),
    "themes": ("themes", "theme", "thema", "themas", "thema s"),
    "workfields": ("workfields", "workfield", "werkveld", "werkvelden"),
    "region": ("region", "regio", "gebied", "gemeente", "regiocode", "gemeentecode", "region code"),
    "scale": ("scale", "schaal", "schaalniveau"),
    "groups": ("groups", "group", "groep", "groepen", "doelgroep", "doelgroepen"),
    "channel": ("channel", "kanaal", "bron"),
    "heardOn": ("heardon", "heard on", "datum", "date", "gehoord op", "datum gehoord", "ontvangen op"),
    "peopleCount": ("peoplecount", "people count", "aantal mensen", "aantal personen", "aantal"),
    "visibility": ("visibility", "zichtbaarheid", "zichtbaar voor"),
    "status": ("status",),
    "version": ("version", "versie"),
    "delete": ("delete", "verwijderen", "verwijderd", "verwijder"),
}  # fmt: skip
NEEDED = ("externalId", "kind", "title", "themes", "region")
_FIELD = {name: field for field, names in NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Columns:
    """Column → field; `left` are the columns that stand for nothing and are not sent."""

    fields: Mapping[str, str]
    left: tuple[str, ...] = ()


def recognised(columns: Sequence[str]) -> int:
    """How many of the columns are known by name."""
    return sum(fold(column) in _FIELD for column in columns)


def given_map(pairs: Sequence[str]) -> dict[str, str]:
    """`column=field` as given on the command line; an empty field leaves the column out. Raises `Invalid`."""
    faults = Faults()
    found: dict[str, str] = {}
    for pair in pairs:
        column, sign, field = (part.strip() for part in pair.rpartition("="))
        if not sign or not column:
            faults.add("option", "map", "invalid-value", "Give column=field, or column= to leave a column out.")
        elif field and field not in NAMES:
            faults.add("option", "map", "unknown-field", f"A field is one of {', '.join(NAMES)}.")
        else:
            found[column] = field
    faults.raise_if_any()
    return found


def mapped(columns: Sequence[str], given: Mapping[str, str]) -> Columns:
    """Which column is which field: those given first, the others by their name. Raises `Invalid` with what is wrong."""
    faults = Faults()
    fields: dict[str, str] = {}
    left: list[str] = []
    for column in given:
        if column not in columns:
            faults.add("option", "map", "unknown-column", f"There is no such column. There are: {', '.join(columns)}.")
    taken = {given[column] for column in columns if given.get(column)}
    for column in columns:
        field = given[column] if column in given else _FIELD.get(fold(column))
        if column not in given and field in taken:
            field = None  # somebody said which column it is
        if not field:
            left.append(column)
        elif field in fields.values():
            other = next(name for name, of in fields.items() if of == field)
            if column == field and other not in given:  # the very name of the field is no guess
                left.append(other)
                del fields[other]
                fields[column] = field
                continue
            if other == field and column not in given:
                left.append(column)
                continue
            detail = f"The columns “{other}” and “{column}” both look like {field}. Say which with --map."
            faults.add("file", column, "two-columns", detail)
        else:
            fields[column] = field
    missing = [field for field in NEEDED if field not in fields.values()]
    if missing and set(fields.values()) != {"externalId", "delete"}:
        detail = f"No column for {', '.join(missing)}. There are: {', '.join(columns)}. Say which is which with --map."
        faults.add("file", "", "missing-column", detail)
    faults.raise_if_any()
    return Columns(fields, tuple(left))
