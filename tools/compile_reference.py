"""Compile the packaged reference data from a folder of source tables. For maintainers; never needed to run or test.

    python tools/compile_reference.py SOURCE_DIR

SOURCE_DIR has `regions/` (scheme_editions, regions, memberships, municipalities, mergers, postcodes) and `domain/`
(themes, levels) as CSV. The result goes to `app/data`. Files written by hand are left alone: schemes.csv, sources.csv,
aliases.csv, hubs.json, organisations.csv and the other vocabularies. See docs/reference-data.md.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "app" / "data"
EDITION = "2026-11-21"
POPULATION_SOURCE = "CBS, bevolking op 1 januari 2022 (via het coronadashboard van het ministerie van VWS)"

# The 2020 list of municipalities is packaged to check the mergers, but is not an edition of the scheme.
OWN_EDITIONS = [
    {"scheme": "gemeente", "year": "2016", "method": "direct", "sources": "S1", "remark": "390 municipalities"},
    {"scheme": "gemeente", "year": "2022", "method": "direct", "sources": "S2",
     "remark": "345 on 1 January, 344 from 24 March (Weesp joined Amsterdam)"},
    {"scheme": "gemeente", "year": "2023", "method": "direct", "sources": "S3",
     "remark": "342; the same set as the CBS list of 2024"},
    {"scheme": "gemeente", "year": "2026", "method": "direct", "sources": "S9",
     "remark": "342; population is still that of 1 January 2022"},
    {"scheme": "participatiehub", "year": "2022", "method": "advice-report", "sources": "A1",
     "remark": "areas computed from the definitions in the report; a proposal, not present fact"},
    {"scheme": "participatiehub", "year": "2026", "method": "advice-report", "sources": "A1",
     "remark": "areas computed from the same definitions with the municipalities of 2026"},
]  # fmt: skip

# The figure of 1 January 2022 is for the territory with Weesp, which joined on 24 March (note in the source table).
POPULATION_FROM = {("GM0363", "2022"): "2022-03-24"}
CHANGES = {
    ("abolished", "whole"): "merger",
    ("abolished", "part"): "split",
    ("boundary_change", "part"): "boundary-change",
}

Row = dict[str, str]


def scheme_code(code: str) -> str:
    """`ggd_regio` in the sources is `ggd-regio` in the product."""
    return code.replace("_", "-")


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, fields: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    path = TARGET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(fields), lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def editions(source: Path) -> None:
    rows = [
        {
            "scheme": scheme_code(row["scheme"]),
            "year": row["year"],
            "method": row["method"],
            "sources": row["sources"].replace(" ", "|"),
            # Source numbers mean something in sources.csv only; the remark must be readable alone.
            "remark": re.sub(r" via S\d+", "", row["remark"]),
        }
        for row in read(source / "regions" / "scheme_editions.csv")
    ]
    rows = sorted([*OWN_EDITIONS, *rows], key=lambda row: (row["scheme"], row["year"]))
    write("editions.csv", ["scheme", "year", "method", "sources", "remark"], rows)


def by_years(rows: Iterable[Row], keys: list[str]) -> list[Row]:
    """One row for each set of equal facts, with the years in which they hold (`2016|2020`)."""
    years: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        years[tuple(row[key] for key in keys)].append(row["year"])
    return [dict(zip(keys, facts, strict=True)) | {"years": "|".join(sorted(y))} for facts, y in sorted(years.items())]


def regions(source: Path) -> None:
    rows = [row | {"scheme": scheme_code(row["scheme"])} for row in read(source / "regions" / "regions.csv")]
    keys = ["scheme", "code", "name"]
    write("regions.csv", [*keys, "years"], by_years(rows, keys))


def municipalities(source: Path) -> None:
    rows = read(source / "regions" / "municipalities.csv")
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        names[row["code"]].add(row["name"])
    for row in rows:
        # CBS writes "Hengelo (O.)", the outlines of 2022 "Hengelo": one municipality that was never renamed.
        suffixed = [name for name in names[row["code"]] if name.startswith(row["name"] + " (")]
        row["name"] = suffixed[0] if suffixed else row["name"]
        row["population_from"] = POPULATION_FROM.get((row["code"], row["year"]), "")
    keys = ["code", "name", "population", "population_date", "population_from"]
    write("municipalities.csv", [*keys, "years"], by_years(rows, keys))


def memberships(source: Path) -> None:
    """One file a year, one row a municipality, one column a scheme; `ROAZ06:0.5|ROAZ07:0.5` where it is in two.

    The sources do not say how a municipality divides over two regions: equal shares are assumed.
    """
    years: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    schemes: dict[str, set[str]] = defaultdict(set)
    for row in read(source / "regions" / "memberships.csv"):
        scheme = scheme_code(row["scheme"])
        years[row["year"]][row["municipality_code"]][scheme].append(row["region_code"])
        schemes[row["year"]].add(scheme)
    order = [row["code"] for row in read(TARGET / "schemes.csv")]
    for year, table in years.items():
        columns = [code for code in order if code in schemes[year]]
        rows = [
            {"municipality": code} | {scheme: shared(sorted(found)) for scheme, found in row.items()}
            for code, row in sorted(table.items())
        ]
        write(f"memberships/{year}.csv", ["municipality", *columns], rows)


def shared(codes: list[str]) -> str:
    if len(codes) == 1:
        return codes[0]
    return "|".join(f"{code}:{1 / len(codes):g}" for code in codes)


def successions(source: Path) -> None:
    rows = [
        {
            "on": row["effective_date"],
            "predecessor": row["old_code"],
            "predecessor_name": row["old_name"],
            "successor": row["new_code"],
            "successor_name": row["new_name"],
            "change": CHANGES[row["change"], row["share_of_old"]],
        }
        for row in read(source / "regions" / "mergers.csv")
    ]
    write("successions.csv", list(rows[0]), rows)


def postcodes(source: Path) -> None:
    """One row a postcode; `municipalities` has the main one first, each with its share of the area.

    Where the source has no main municipality, only a minor part is left of a row that was withdrawn: that postcode is
    left out, for not found is better than found in the wrong place.
    """
    areas: dict[str, list[Row]] = defaultdict(list)
    for row in read(source / "regions" / "postcodes.csv"):
        areas[row["pc4"]].append(row)
    rows = []
    for pc4, parts in sorted(areas.items()):
        parts.sort(key=lambda row: (row["is_primary"] != "1", -float(row["area_share"])))
        first = parts[0]
        if first["is_primary"] != "1":
            print(f"postcode {pc4} left out: no main municipality")
            continue
        held = "|".join(f"{row['municipality_code']}:{float(row['area_share']):g}" for row in parts)
        rows.append(
            {"pc4": pc4, "place": first["place_name"], "population": first["population_2021"], "municipalities": held}
        )
    write("postcodes.csv", list(rows[0]), rows)


def vocabularies(source: Path) -> None:
    texts = ["label_nl", "label_en", "description_nl", "description_en"]
    themes = read(source / "domain" / "themes.csv")
    write("vocabularies/theme.csv", ["code", "parent", "rank", *texts, "workfields", "basis"], themes)
    levels = [row | {"basis": row["example_basis"]} for row in read(source / "domain" / "levels.csv")]
    fields = ["code", "rank", *texts, "example_nl", "example_en", "nearest_role", "basis"]
    write("vocabularies/participation-level.csv", fields, levels)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    source = Path(sys.argv[1])
    for step in (editions, regions, municipalities, memberships, successions, postcodes, vocabularies):
        step(source)
    manifest = {"edition": EDITION, "population_source": POPULATION_SOURCE}
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    (TARGET / "manifest.json").write_text(text, encoding="utf-8")
    return report()


def report() -> int:
    """Read back what was written and say what is wrong with it."""
    sys.path.insert(0, str(TARGET.parent.parent))
    from app.domain.reference import verify
    from app.infra import packaged

    data = packaged.load()
    print(f"edition {data.edition}, digest {data.digest}")
    findings = verify(data)
    for finding in findings:
        print(f"{finding.code}: {finding.detail}")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
