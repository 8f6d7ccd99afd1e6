"""Fetching a table of StatLine: from files in every form they come in, and from a service that is not always well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from app.domain.errors import Invalid, TooLarge, Unavailable
from app.domain.statline import Table, known_regions, recognise
from app.domain.statline_preview import preview
from app.domain.statline_reference import as_reference
from app.domain.timeline import compute
from app.infra.packaged import load
from app.infra.statline import Limits, fetch

EXPORT = Path(__file__).parent.parent / "fixtures" / "statline" / "85755NED_UntypedDataSet.csv"
DATASET = "/ODataApi/odata/85755NED"
HERE = "http://127.0.0.1:8123"
ROWS = [{"ID": n, "RegioS": f"GM{n:04d}    ", "Code_28": "PV20  ", "Naam_29": None} for n in range(1, 8)]

Reply = tuple[int, dict[str, str], bytes]
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Five attempts as always, without the seconds in between."""
    with stamina.set_testing(True, attempts=5):
        yield


class Service:
    """A StatLine on this machine, spoken to over ASGI: paths to a row of answers, the last of which stays."""

    def __init__(self, **answers: list[Reply]) -> None:
        self.answers = {path or DATASET: replies for path, replies in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: object, send: Callable[[Any], Awaitable[None]]) -> None:
        query = scope["query_string"].decode()
        self.asked.append(scope["path"] + (f"?{query}" if query else ""))
        skip = query.split("skip=")[1].split("&")[0] if "skip=" in query else ""
        replies = self.answers.get(scope["path"] + skip, [(404, {}, b"")])
        status, headers, body = replies.pop(0) if len(replies) > 1 else replies[0]
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def fetch(self, source: str = HERE + DATASET, **options: Any) -> Table:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self)) as client:  # type: ignore[arg-type]
            return await fetch(source, client=client, **options)


def page(rows: list[dict[str, Any]], **more: str) -> Reply:
    return 200, {}, json.dumps({"value": rows} | more).encode()


def rows_at(*replies: Reply, **others: list[Reply]) -> Service:
    return Service(**{f"{DATASET}/UntypedDataSet": list(replies)}, **others)


async def code_of(work: Awaitable[Table]) -> str:
    with pytest.raises(Invalid) as caught:
        await work
    (fault,) = caught.value.faults
    assert "Traceback" not in fault.detail
    return fault.code


# Files


@pytest.mark.asyncio
async def test_the_real_export_of_2024_gives_every_municipality_its_province() -> None:
    seen: list[int] = []
    data = load()
    table = await fetch(str(EXPORT), on_progress=seen.append)
    edition = recognise(table.rows, known_regions(data), 2024, table_id=table.table_id, year_hint=table.year_hint)
    assert (table.table_id, seen) == ("85755NED", [342])
    assert edition.municipalities["GM0518"] == "'s-Gravenhage"
    assert edition.schemes["provincie"]["GM0059"] == "PV21"
    assert [column.name for column in edition.ignored] == ["ID", "SorteringNaam_3"]
    assert not preview(edition, known_regions(data), data.successions).faults


@pytest.mark.asyncio
async def test_the_real_export_runs_through_the_timeline_as_an_edition_of_its_own() -> None:
    data = load()
    table = await fetch(str(EXPORT))
    known = known_regions(data)
    new = as_reference(preview(recognise(table.rows, known, 2024), known, data.successions), data)
    compute(new)
    assert sum(m.population or 0 for m in new.municipalities if m.year == 2024) == 17_590_672
    again = preview(recognise(table.rows, known, 2024), known_regions(new), new.successions)
    assert (again.status, as_reference(again, new) is new) == ("same", True)


@pytest.mark.asyncio
async def test_the_real_export_asked_for_as_another_year_is_refused() -> None:
    table = await fetch(str(EXPORT))
    with pytest.raises(Invalid) as caught:
        recognise(table.rows, known_regions(load()), 2026, table_id=table.table_id)
    assert [fault.code for fault in caught.value.faults] == ["year-mismatch"]


def test_a_full_table_of_all_packaged_schemes_is_read_back_as_it_was() -> None:
    data = load()
    known = known_regions(data)
    regions = {s: k.editions[2026] for s, k in known.schemes.items() if s != "roaz-regio"}
    rows = []
    for code, name in known.municipalities[2026].items():
        row = {"RegioS": code.ljust(10), "Naam_2": name}
        for number, (scheme, edition) in enumerate(regions.items()):
            (region,) = edition.membership[code]
            row |= {f"Naam_{100 - number}": edition.names[region].ljust(50), f"Code_{number}": region.ljust(8)}
            assert scheme in known.schemes
        rows.append(row)
    seen = preview(recognise(rows, known, 2026), known, data.successions)
    assert {s.scheme: s.status for s in seen.schemes} == dict.fromkeys(regions, "same")
    assert (seen.status, seen.carried, seen.edition.ignored) == ("same", ("roaz-regio",), ())


CSV = '"RegioS";"Naam_2"\r\n"GM0001    ";"Aa; en ""Hunze"""\r\n"GM0002";"Súdwest-Fryslân"\r\n'


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "content",
    [
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-8"),
        CSV.encode("latin-1"),
        CSV.replace("\r\n", "\n").encode(),
        f'"Gebieden in Nederland 2024"\n{CSV}"Bron: CBS"\n'.encode(),
        b'[{"RegioS": "GM0001    ", "Naam_2": "Aa; en \\"Hunze\\""}, {"RegioS": "GM0002", "Naam_2": "S\xc3\xbadwest-Frysl\xc3\xa2n"}]',
    ],
)
async def test_every_form_of_a_file_gives_the_same_rows(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table").write_bytes(content)
    table = await fetch(str(tmp_path / "table"))
    assert [{k: v.strip() for k, v in row.items()} for row in table.rows] == [
        {"RegioS": "GM0001", "Naam_2": 'Aa; en "Hunze"'},
        {"RegioS": "GM0002", "Naam_2": "Súdwest-Fryslân"},
    ]
    assert table.year_hint == (2024 if b"2024" in content else None)


@pytest.mark.asyncio
async def test_a_saved_answer_of_the_service_tells_its_table(tmp_path: Path) -> None:
    metadata = "http://opendata.cbs.nl/ODataApi/OData/85755NED/$metadata#Cbs.OData.WebAPI.UntypedDataSet"
    (tmp_path / "x.json").write_bytes(page(ROWS, **{"odata.metadata": metadata})[2])
    table = await fetch(str(tmp_path / "x.json"))
    assert (table.table_id, len(table.rows), table.rows[0]["Naam_29"]) == ("85755NED", 7, "")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"PK\x03\x04\0\0", "not-statline"),
        (b"<!DOCTYPE html><title>StatLine</title>", "not-statline"),
        (b"just some words\nand more", "not-statline"),
        (b'"a";"b"\n"GM0001";"cut of', "truncated"),
        (b'"a";"b"\n"1";"2";"3"\n', "too-many-cells"),
        (b'"a";"b"\n"1"x;"2"\n', "not-statline"),
        (b'{"value": [{"RegioS": "GM00', "truncated"),
        (b'{"value": [{"RegioS": }]}', "not-statline"),
        (b'{"value": "x"}', "not-statline"),
        (b'{"value": [{"RegioS": {"deep": 1}}]}', "not-statline"),
        (b'{"odata.error": {"message": "too many rows"}}', "service-error"),
        (b'{"value": [], "odata.nextLink": "https://x/y"}', "truncated"),
        (b"[" * 100_000 + b"]", "not-statline"),
    ],
)
async def test_a_file_that_is_no_whole_table_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    assert await code_of(fetch(str(tmp_path / "table.csv"))) == code


@pytest.mark.asyncio
async def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    assert await code_of(fetch(str(tmp_path / "nothing.csv"))) == "source-not-found"
    assert await code_of(fetch(str(tmp_path))) == "source-not-found"
    with pytest.raises(TooLarge):
        await fetch(str(EXPORT), limits=Limits(size_bytes=1000))


# The service


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", [DATASET, f"{DATASET}/", f"{DATASET}/UntypedDataSet", f"{DATASET}?$format=json"])
async def test_the_address_of_a_table_leads_to_its_rows_and_its_title(asked: str) -> None:
    title = page([{"Title": "Gebieden in Nederland 2024"}])
    service = rows_at(page(ROWS), **{f"{DATASET}/TableInfos": [title]})
    table = await service.fetch(HERE + asked)
    assert (len(table.rows), table.table_id, table.year_hint) == (7, "85755NED", 2024)
    assert "format=json" in service.asked[0]


@pytest.mark.asyncio
@pytest.mark.parametrize("link", ["odata.nextLink", "@odata.nextLink"])
async def test_pages_are_followed_by_their_link(link: str) -> None:
    seen: list[int] = []
    first = page(ROWS[:3], **{link: f"{HERE}{DATASET}/UntypedDataSet?$skip=3"})
    service = Service(
        **{f"{DATASET}/UntypedDataSet": [first], f"{DATASET}/UntypedDataSet3": [page(ROWS[3:])]},
    )
    table = await service.fetch(on_progress=seen.append)
    assert [row["ID"] for row in table.rows] == [str(n) for n in range(1, 8)]
    assert (seen, table.year_hint) == ([3, 7], None)


@pytest.mark.asyncio
async def test_a_full_page_without_link_is_followed_by_skip() -> None:
    path = f"{DATASET}/UntypedDataSet"
    service = Service(**{path: [page(ROWS[:3])], f"{path}3": [page(ROWS[3:6])], f"{path}6": [page(ROWS[6:])]})
    assert len((await service.fetch(limits=Limits(page_rows=3))).rows) == 7


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_service_that_is_overloaded_for_a_moment_is_asked_again(status: int) -> None:
    service = rows_at((status, {"Retry-After": "1"}, b""), (status, {}, b""), page(ROWS))
    assert len((await service.fetch()).rows) == 7
    assert sum("UntypedDataSet" in asked for asked in service.asked) == 3


@pytest.mark.asyncio
async def test_a_service_that_stays_away_is_unavailable_after_five_attempts() -> None:
    service = rows_at((503, {}, b"<html>"))
    with pytest.raises(Unavailable):
        await service.fetch()
    assert len(service.asked) == 5


@pytest.mark.asyncio
async def test_a_service_that_asks_for_an_hour_is_not_waited_for() -> None:
    service = rows_at((503, {"Retry-After": "3600"}, b""))
    with pytest.raises(Unavailable):
        await service.fetch()
    assert len(service.asked) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refusal_is_not_asked_again(status: int) -> None:
    service = rows_at((status, {}, b""))
    assert await code_of(service.fetch()) == "source-not-found"
    assert len(service.asked) == 1


@pytest.mark.asyncio
async def test_a_body_that_ends_in_the_middle_is_refused() -> None:
    assert await code_of(rows_at((200, {}, page(ROWS)[2][:-20])).fetch()) == "truncated"


@pytest.mark.asyncio
async def test_a_connection_that_breaks_is_tried_again_and_then_called_truncated() -> None:
    attempts: list[str] = []

    async def half() -> AsyncIterator[bytes]:
        yield b'{"value": ['
        raise httpx.RemoteProtocolError("peer closed connection")

    def answer(request: httpx.Request) -> httpx.Response:
        attempts.append(request.url.path)
        return httpx.Response(200, content=half())

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        assert await code_of(fetch("https://cbs.example/ODataApi/odata/85755NED", client=client)) == "truncated"
    assert len(attempts) == 5


@pytest.mark.asyncio
async def test_a_service_that_cannot_be_reached_is_unavailable() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Unavailable):
            await fetch("https://cbs.example/x.csv", client=client)


@pytest.mark.asyncio
async def test_a_redirect_is_followed_and_a_loop_is_not() -> None:
    loop = (302, {"Location": f"{DATASET}/UntypedDataSet"}, b"")
    assert await code_of(rows_at(loop).fetch()) == "too-many-redirects"
    moved = rows_at((301, {"Location": "/elsewhere"}, b""), **{"/elsewhere": [page(ROWS)]})
    assert len((await moved.fetch()).rows) == 7


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://other.example/x", "https-required"),
        ("ftp://cbs.example/x", "source-not-supported"),
        ("https://127.0.0.1/x", "redirect-refused"),
        ("http://localhost:5432/", "redirect-refused"),
    ],
)
async def test_a_redirect_away_from_https_or_into_this_machine_is_refused(location: str, code: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": location})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        assert await code_of(fetch("https://cbs.example/x.csv", client=client)) == code


@pytest.mark.asyncio
async def test_a_link_that_says_http_stays_on_https_of_the_same_host() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        more = {} if "skip" in str(request.url) else {"odata.nextLink": "http://cbs.example/next?$skip=3"}
        return httpx.Response(200, content=page(ROWS[:3], **more)[2])

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        table = await fetch("https://cbs.example/x.json", client=client)
    assert len(table.rows) == 6
    assert asked[1].startswith("https://cbs.example/next")


@pytest.mark.asyncio
async def test_pages_that_go_round_or_on_for_ever_are_refused() -> None:
    again = page(ROWS, **{"odata.nextLink": f"{HERE}/page"})
    assert await code_of(Service(**{"/page": [again]}).fetch(f"{HERE}/page")) == "paging-loop"
    path = f"{DATASET}/UntypedDataSet"
    with pytest.raises(TooLarge):
        await rows_at(page(ROWS), **{f"{path}7": [page(ROWS)]}).fetch(limits=Limits(page_rows=7, pages=2))


@pytest.mark.asyncio
async def test_the_limit_of_size_counts_all_pages_together() -> None:
    size = len(page(ROWS)[2])
    with pytest.raises(TooLarge):
        await rows_at(page(ROWS)).fetch(limits=Limits(size_bytes=size - 1))
    path = f"{DATASET}/UntypedDataSet"
    with pytest.raises(TooLarge):
        await rows_at(page(ROWS), **{f"{path}7": [page(ROWS)]}).fetch(limits=Limits(page_rows=7, size_bytes=size + 9))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("http://opendata.cbs.nl/ODataApi/odata/85755NED", "https-required"),
        ("ftp://opendata.cbs.nl/85755NED.csv", "source-not-supported"),
        ("file:///etc/passwd", "source-not-supported"),
        ("https://", "source-not-supported"),
    ],
)
async def test_another_kind_of_address_is_refused_before_anything_is_asked(source: str, code: str) -> None:
    service = Service()
    assert await code_of(service.fetch(source)) == code
    assert service.asked == []
