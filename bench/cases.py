"""The questions that are measured. A GraphQL question selects the very fields that its REST twin shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from app.api.rest.hubs import HUB
from app.api.rest.locations import LOCATION
from app.api.rest.picks import REFERENCES
from app.api.rest.regions import REGION

Door = Literal["REST", "GraphQL"]

# The day is fixed, so that a run over midnight compares the same answers.
DAY = "2026-06-01"
WANTED_REST, WANTED_GRAPHQL = 0.70, 0.50


@dataclass(frozen=True, slots=True)
class Case:
    """One question at one door. `wanted` is the share of the limit, None where the row is for information."""

    name: str
    door: Door
    target: str
    body: bytes = b""
    wanted: float | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, **more: str) -> bytes:
        """The bytes on the wire."""
        headers = {"host": "127.0.0.1", "accept": "application/json", **dict(self.headers), **more}
        if self.body:
            headers |= {"content-type": "application/json", "content-length": str(len(self.body))}
        method = "POST" if self.body else "GET"
        lines = [f"{method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def _page(root: str, arguments: str, fields: str) -> str:
    return f"{{ {root}({arguments}) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"


_WITH_OVERLAPS = f"{REGION} overlaps {{ {REFERENCES['overlap']} }}"

# name, REST address, GraphQL document
_QUESTIONS = (
    (
        "Regions of a scheme, page of 50",
        f"/v1/regions?scheme=ggd-regio&limit=50&asOf={DAY}",
        _page("regions", f'filter: {{scheme: "ggd-regio"}}, first: 50, asOf: "{DAY}"', REGION),
    ),
    (
        "Municipalities, page of 50",
        f"/v1/regions?scheme=gemeente&limit=50&asOf={DAY}",
        _page("regions", f'filter: {{scheme: "gemeente"}}, first: 50, asOf: "{DAY}"', REGION),
    ),
    (
        "One region with its overlaps",
        f"/v1/regions/GG2014?expand=overlaps&asOf={DAY}",
        f'{{ region(code: "GG2014", asOf: "{DAY}") {{ {_WITH_OVERLAPS} }} }}',
    ),
    (
        "Find my hub by postcode",
        f"/v1/locations?postcode=9711&asOf={DAY}",
        f'{{ locations(postcode: "9711", asOf: "{DAY}") {{ {LOCATION} }} }}',
    ),
    (
        "Hubs with area and steering group",
        f"/v1/hubs?asOf={DAY}",
        _page("hubs", f'first: 50, asOf: "{DAY}"', HUB),
    ),
)


def questions() -> list[Case]:
    """Every question over both doors."""
    found = []
    for name, target, document in _QUESTIONS:
        found.append(Case(name, "REST", target, wanted=WANTED_REST))
        body = orjson.dumps({"query": document})
        found.append(Case(name, "GraphQL", "/graphql", body, WANTED_GRAPHQL))
    return found


def never_seen(case: Case, count: int, *, other_selection: bool = False) -> list[Case]:
    """The same question in texts that no server has seen: another operation name, or another alias as well (then the
    selection is new too, and SQL must be written and planned for it)."""
    query = orjson.loads(case.body)["query"].strip().removeprefix("{").removesuffix("}").strip()
    if other_selection:
        texts = [f"query Fresh{n} {{ {query.replace(' name ', f' name{n}: name ', 1)} }}" for n in range(count)]
    else:
        texts = [f"query Cold{n} {{ {query} }}" for n in range(count)]
    return [Case(case.name, case.door, case.target, orjson.dumps({"query": text})) for text in texts]
