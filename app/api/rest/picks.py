"""Which fields an answer shows: a route's own selection in a few words, or the client's `fields` and `expand`.

A selection is written as in GraphQL: `slug name area { code municipalityCount }`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from app.domain.errors import Faults
from app.domain.reading import NounShape, Pick

MAX_FIELDS = 100
MAX_DEPTH = 4
MAX_COST = 100_000
LIST_ROWS = 10  # what a list within a row is taken to hold, as GraphQL does

_TOKEN = re.compile(r"[A-Za-z]+|[{}]")

# What a reference to each noun shows: one shape everywhere (API.md, Conventions).
REFERENCES: Mapping[str, str] = {
    "hub": "slug name",
    "region": "code scheme name",
    "organisation": "id name",
    "overlap": "region { code scheme name } municipalityCount population shareOfThis shareOfOther shareBasis",
    "lineage": "code scheme name date change",
    "edition": "year regionCount municipalityCount method source licence remark",
    "hub-phase": "phase from",
    "hub-host": "organisation { id name } status",
    "steering-seat": "workfield { code label } organisation { id name }",
    "steering-issue": "code workfield { code label }",
    "member": "organisation { id name } status strand since",
    "area-definition": "from regions { code scheme name } plus { code scheme name } minus { code scheme name }",
    "published-figures": (
        "municipalityCount municipalityCountLow municipalityCountHigh population computedMunicipalityCount "
        "computedPopulation source note"
    ),
    "area": (
        "code municipalityCount population populationDate "
        "definition { from regions { code scheme name } plus { code scheme name } minus { code scheme name } }"
    ),
    "forwarding": "umbrella { code label } state respondBy response",
    "follow-up": "kind on summary public",
    "signal": "id title",
    "bundle": "id title status response",
    "signal-version": "version at action",
    "similar-signal": "signal { id title hub { slug name } } score sameThemes",
    "question": "id title",
    "levels": "intended { code label } agreed { code label } achieved { code label }",
    "matrix": (
        "phases { code label } cells { phase { code label } role { code label } activity groups { code label } on realised "
        "heldByHub }"
    ),
    "matrix-cell": "phase { code label } role { code label } activity groups { code label }",
    "mix": "groups { group { code label } wanted recruited organisations { id name } } imbalanceReason",
    "mix-group": "group { code label } wanted recruited",
    "balance": "state basis missingSides missingForms missingWorkfields { code label } missingGroups { code label }",
    "compensation": "offered what",
    "period": "from to",
    "outcome": (
        "inputSummary inputs { source taken reason } decision explanation decidedOn impact "
        "impactChecks { on finding } toldBack { on how }"
    ),
    "outcome-input": "source taken reason",
    "impact-check": "on finding",
    "told-back": "on how",
    "question-version": "version at action",
    "related-signal": "signal { id title } score sameThemes overlap sameWords",
    "related-question": "question { id title } score sameThemes overlap sameWords",
    "participation-figures": "questionCount concludedCount asPromised lessThanPromised moreThanPromised",
    "level-figures": "level { code label } intended agreed achieved",
    "condition-figures": "code label count of share",
    "located-region": "scheme code name share shareAssumed",
}
TERM = "code label"


@lru_cache(maxsize=256)
def picks(text: str) -> tuple[Pick, ...]:
    """The picks of a selection in words. Raises `ValueError` when a brace is missing."""
    tokens = _TOKEN.findall(text)
    found, rest = _picks(tokens)
    if rest:
        raise ValueError(f"unbalanced selection: {text}")
    return found


def _picks(tokens: list[str]) -> tuple[tuple[Pick, ...], list[str]]:
    found: list[Pick] = []
    while tokens and tokens[0] != "}":
        name, *tokens = tokens
        inner: tuple[Pick, ...] = ()
        if tokens and tokens[0] == "{":
            inner, tokens = _picks(tokens[1:])
            tokens = tokens[1:]
        found.append(Pick(name, name, inner))
    return tuple(found), tokens


def reference(noun: str) -> tuple[Pick, ...]:
    """What a reference to this noun shows."""
    return picks(REFERENCES.get(noun, TERM))


def chosen(
    default: tuple[Pick, ...],
    noun: str,
    nouns: Mapping[str, NounShape],
    fields: str | None,
    expand: str | None,
    rows: int = 1,
) -> tuple[Pick, ...]:
    """The selection of one request: `fields` replaces the default, `expand` adds edges to it.

    `fields=name,area.population` picks along dots; an edge named without fields shows its reference shape.
    Raises `Invalid` for every name that does not exist, and for more than `rows` of it should cost.
    """
    if fields is None and expand is None:
        return default
    faults = Faults()
    paths = [path.split(".") for path in _listed(fields, "fields", faults)]
    shown = _tree(paths, noun, nouns, "fields", faults) if fields is not None else default
    for path in _listed(expand, "expand", faults):
        shown = _expanded(shown, path.split("."), noun, nouns, faults)
    faults.raise_if_any()
    found = _cost(shown, noun, nouns, rows)
    if found > MAX_COST:
        detail = (
            f"This asks for about {found:,} values; the limit is {MAX_COST:,}. "
            "Ask for fewer rows (a smaller limit, then page) or fewer lists within lists."
        )
        faults.add("query", "fields" if expand is None else "expand", "limit-cost", detail)
        faults.raise_if_any()
    return shown


def _cost(picked: Iterable[Pick], noun: str, nouns: Mapping[str, NounShape], rows: int) -> int:
    """Rows times fields, estimated before anything is read."""
    cost = 0
    for pick in picked:
        edge = nouns[noun].edges.get(pick.name)
        cost += rows
        if edge is not None:
            cost += _cost(pick.picks, edge.noun, nouns, rows * LIST_ROWS if edge.many else rows)
    return cost


def _listed(value: str | None, key: str, faults: Faults) -> list[str]:
    if value is None:
        return []
    names = [name.strip() for name in value.split(",")]
    if len(names) > MAX_FIELDS or any(name.count(".") >= MAX_DEPTH for name in names):
        faults.add("query", key, "too-many-fields", f"At most {MAX_FIELDS} names, each at most {MAX_DEPTH} deep.")
        return []
    return list(dict.fromkeys(names))


def _tree(
    paths: Iterable[list[str]], noun: str, nouns: Mapping[str, NounShape], key: str, faults: Faults
) -> tuple[Pick, ...]:
    grouped: dict[str, list[list[str]]] = {}
    for head, *rest in paths:
        grouped.setdefault(head, []).append(rest)
    found = []
    for name, rests in grouped.items():
        edge = nouns[noun].edges.get(name)
        deeper = [rest for rest in rests if rest]
        if edge is not None:
            inner = _tree(deeper, edge.noun, nouns, key, faults) if deeper else reference(edge.noun)
            found.append(Pick(name, name, inner))
        elif name in nouns[noun].fields and not deeper:
            found.append(Pick(name, name))
        else:
            _unknown(noun, nouns, key, faults)
    return tuple(found)


def _expanded(
    shown: tuple[Pick, ...], path: list[str], noun: str, nouns: Mapping[str, NounShape], faults: Faults
) -> tuple[Pick, ...]:
    head, *rest = path
    edge = nouns[noun].edges.get(head)
    if edge is None:
        edges = ", ".join(sorted(nouns[noun].edges)) or "nothing"
        faults.add("query", "expand", "unknown-field", f"What can be expanded here: {edges}.")
        return shown
    present = next((pick for pick in shown if pick.name == head), None)
    inner = present.picks if present else reference(edge.noun)
    if rest:
        inner = _expanded(inner, rest, edge.noun, nouns, faults)
    others = tuple(pick for pick in shown if pick.name != head)
    return (*others, Pick(head, head, inner))


def _unknown(noun: str, nouns: Mapping[str, NounShape], key: str, faults: Faults) -> None:
    names = ", ".join(sorted({*nouns[noun].fields, *nouns[noun].edges}))
    faults.add("query", key, "unknown-field", f"A name in {key} does not exist. Known for {noun}: {names}.")
