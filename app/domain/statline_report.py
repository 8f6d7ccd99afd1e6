"""A preview in sentences, for the person who decides whether to apply it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.domain.statline_preview import Preview, SchemePreview

_SHOWN = 10
_STATUS = {
    "new": "new, can be applied",
    "same": "there already with the same content, nothing to do",
    "conflict": "there already with other content",
}


def describe(preview: Preview) -> tuple[str, ...]:
    """The whole preview, one line each; long lists are cut at ten with the number of the rest."""
    return tuple(_lines(preview))


def _lines(preview: Preview) -> Iterator[str]:
    edition = preview.edition
    table = f" (StatLine table {edition.table_id})" if edition.table_id else ""
    yield f"Edition {edition.year}{table}: {_STATUS[preview.status]}."
    before, after = preview.municipality_count
    compared = f", {before} in the list of {preview.compared_with}" if preview.compared_with else ""
    yield f"Municipalities: {after}{compared}."
    yield from _listed("  new", _named(preview.new_municipalities))
    gone = [f"{v.code} {v.name} → {', '.join(v.successors) or 'unknown'}" for v in preview.vanished_municipalities]
    yield from _listed("  no longer there", gone)
    renamed = [f"{r.code} {r.before} → {r.after}" for r in preview.renamed_municipalities]
    yield from _listed("  other name", renamed)
    for scheme in preview.schemes:
        yield from _scheme_lines(scheme, edition.read_from.get(scheme.scheme, ""))
    if preview.carried:
        yield f"Not in the table, stay as they are: {', '.join(preview.carried)}."
    for column in edition.ignored:
        yield f"Column {column.name} is not used: {column.reason}."
    for notice in preview.notices:
        yield f"Note: {notice}"
    for fault in preview.faults:
        yield f"Error ({fault.code}): {fault.detail}"


def _scheme_lines(scheme: SchemePreview, column: str) -> Iterator[str]:
    (regions_before, regions), (listed_before, listed) = scheme.region_count, scheme.municipality_count
    compared = "no edition yet"
    if scheme.compared_with:
        compared = f"{scheme.compared_with}: {regions_before} regions, {listed_before} municipalities"
    yield (
        f"{scheme.scheme} (column {column}): {regions} regions, {listed} municipalities ({compared}); "
        f"{_STATUS[scheme.status]}."
    )
    yield from _listed("  new", _named(scheme.new_regions))
    yield from _listed("  no longer there", _named(scheme.vanished_regions))
    yield from _listed("  other name", [f"{r.code} {r.before} → {r.after}" for r in scheme.renamed_regions])
    moved = [f"{m.municipality} {m.name}: {', '.join(m.before)} → {', '.join(m.after)}" for m in scheme.moved]
    yield from _listed("  in another region", moved)


def _named(names: Mapping[str, str]) -> list[str]:
    return [f"{code} {name}" for code, name in names.items()]


def _listed(what: str, items: list[str]) -> Iterator[str]:
    if items:
        more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
        yield f"{what} ({len(items)}): {'; '.join(items[:_SHOWN])}{more}"
