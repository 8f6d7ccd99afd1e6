"""The matrix of a question for reports: as JSON, as an accessible HTML table, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from html import escape
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import Response
from pydantic import Field

from app.api.accepting import JSON, preferred
from app.api.rest.answers import AsOf, Strict, etag, missing, respond
from app.api.rest.contract import responses
from app.api.rest.doors import Asking
from app.api.rest.picks import picks
from app.api.rest.question_models import MATRIX, Matrix
from app.domain.reading import Language, Selection, Shape

CSV, HTML = "text/csv", "text/html"
_FORMATS = {"json": JSON, "html": HTML, "csv": CSV}
_CAPTION = {"nl": "Participatiematrix", "en": "Participation matrix"}
_CORNER = {"nl": "Fase", "en": "Phase"}
_ON = {"nl": "op", "en": "on"}
_STATE: Mapping[str, tuple[str, str]] = {"nl": ("gepland", "gerealiseerd"), "en": ("planned", "realised")}
_HELD = {"nl": "ingevuld door de hub", "en": "held by the hub"}

MATRIX_RESPONSES: dict[int | str, dict[str, Any]] = responses(Matrix, missing=True)
MATRIX_RESPONSES[200]["content"] = {
    JSON: {},
    HTML: {"schema": {"type": "string"}},
    CSV: {"schema": {"type": "string"}},
}


_ROLES = Shape("participation-role", "list", picks("code label"))


class MatrixQuery(Strict):
    format: Annotated[Literal["json", "html", "csv"] | None, Field(description="In place of the header `Accept`.")] = (
        None
    )
    as_of: AsOf = None


async def matrix_page(asking: Asking, id_: UUID, query: MatrixQuery) -> Response:
    """The matrix in the form asked for. Raises `NotFound`."""
    offers = (JSON, HTML, CSV)
    media = _FORMATS[query.format] if query.format else preferred(asking.request.headers.get("accept"), offers)
    shape = Shape("question", "one", picks(f"title matrix {{ {MATRIX} }}"), (("id", 0),))
    day = query.as_of or asking.services.today()
    selections = [Selection(shape, (id_,), day), Selection(_ROLES, (), day)]
    answer, roles = await asking.services.library.read(
        selections, actor=asking.asked.actor, language=asking.asked.language
    )
    if answer.body is None:
        raise await missing(asking, "question", {"id": id_}, day)
    found = orjson.loads(answer.body) | {"roles": orjson.loads(roles.body or b"[]")}
    if media == JSON:
        body = orjson.dumps(found["matrix"])
        return respond(asking, body, etag(body, answer.version))
    if media == HTML:
        body = _table(found, asking.asked.language).encode()
        return respond(asking, body, etag(body, answer.version), media=f"{HTML}; charset=utf-8")
    body = _rows(found["matrix"])
    disposition = {"content-disposition": f'attachment; filename="matrix-{id_}.csv"'}
    return respond(asking, body, etag(body, answer.version), disposition, media=f"{CSV}; charset=utf-8")


def _table(question: Mapping[str, Any], language: Language) -> str:
    """One table with a caption, and headings that name their rows and columns: a screen reader says where it is."""
    cells = {(cell["phase"]["code"], cell["role"]["code"]): cell for cell in question["matrix"]["cells"]}
    head = "".join(f'<th scope="col">{escape(role["label"])}</th>' for role in question["roles"])
    body = []
    for phase in question["matrix"]["phases"]:
        inner = "".join(_cell(cells.get((phase["code"], role["code"])), language) for role in question["roles"])
        body.append(f'<tr><th scope="row">{escape(phase["label"])}</th>{inner}</tr>')
    title = f"{_CAPTION[language]}: {escape(question['title'])}"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head><body><main>'
        f'<table border="1"><caption>{title}</caption><thead><tr><th scope="col">{_CORNER[language]}</th>{head}</tr>'
        f"</thead><tbody>{''.join(body)}</tbody></table></main></body></html>\n"
    )


def _cell(cell: Mapping[str, Any] | None, language: Language) -> str:
    if cell is None:
        return "<td></td>"
    lines = [escape(cell["activity"])] if cell["activity"] else []
    if cell["groups"]:
        lines.append(escape(", ".join(group["label"] for group in cell["groups"])))
    state = _STATE[language][cell["realised"]] + (f" {_ON[language]} {cell['on']}" if cell["on"] else "")
    lines.append(f"({state}{'; ' + _HELD[language] if cell['heldByHub'] else ''})")
    return f"<td>{'<br>'.join(lines)}</td>"


def _rows(matrix: Mapping[str, Any]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["phase", "phaseLabel", "role", "roleLabel", "activity", "groups", "on", "realised", "heldByHub"])
    for cell in matrix["cells"]:
        rows.writerow(
            [cell["phase"]["code"], _plain(cell["phase"]["label"]), cell["role"]["code"], cell["role"]["label"],
             _plain(cell["activity"]), "|".join(group["code"] for group in cell["groups"]), cell["on"] or "",
             str(cell["realised"]).lower(), str(cell["heldByHub"]).lower()]
        )  # fmt: skip
    return out.getvalue().encode()


def _plain(text: str) -> str:
    """What a spreadsheet would take for a formula stays text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
