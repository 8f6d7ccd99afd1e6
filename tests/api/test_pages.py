"""The pages for people, on a small application of their own: what they show, say to browsers, and refuse."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.pages import graphiql_page, pages
from app.api.pages.assets import ASSETS, FOLDER, static_url
from app.api.pages.rendering import CSP, TEXTS, number
from app.domain.errors import Fault, Invalid, Unavailable

GRONINGEN = {
    "municipality": {"code": "GM0014", "name": "Groningen"},
    "regions": [
        {"scheme": "gemeente", "code": "GM0014", "name": "Groningen", "share": 1},
        {"scheme": "ggd-regio", "code": "GG2003", "name": "GGD Groningen", "share": 1},
        {"scheme": "roaz-regio", "code": "ROAZ01", "name": "Noord", "share": 0.5},
    ],
    "hubs": [{"slug": "groningen", "name": "Groningen", "website": None}],
}
HUB = {
    "slug": "groningen",
    "name": "Hub <Noord>",
    "phase": "expeditie",
    "frontrunnerRole": "follower",
    "area": {"code": "PH01", "municipalityCount": 10, "population": 590170},
    "basis": "advice-report",
}

STORY = {
    "id": "01890000-0000-7000-8000-000000000000",
    "title": "Zorg <dichtbij>",
    "description": "Hoe houden we hulp dichtbij?",
    "demonstration": True,
    "hub": {"name": "Groningen"},
    "regions": [{"name": "Groningen"}],
    "signals": [],
    "levels": {
        "intended": {"code": "raadplegen", "label": "Raadplegen"},
        "agreed": {"code": "meewerken", "label": "Meewerken"},
        "achieved": None,
    },
    "mix": {
        "groups": [
            {"group": {"label": "Jongeren"}, "recruited": 12},
            {"group": {"label": "Mantelzorgers"}, "recruited": 0},
        ]
    },
    "outcome": {"decision": "Er komt een inloopspreekuur.", "explanation": "", "impact": None, "toldBack": []},
}


class Data:
    """Answers from memory. `away` makes every method say that the database is."""

    def __init__(self) -> None:
        self.away = False
        self.found: list[dict[str, Any]] = [GRONINGEN]
        self.told: dict[str, Any] | None = STORY
        self.asked: list[tuple[str, str]] = []

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")

    async def figures(self) -> Mapping[str, int]:
        self._check()
        return {"hubs": 15, "schemes": 14, "regions": 1619, "municipalities": 342, "questions": 31}

    async def story(self, language: str) -> dict[str, Any] | None:
        self._check()
        return self.told

    async def hubs(self, language: str) -> list[dict[str, Any]]:
        self._check()
        return [HUB]

    async def locations(self, text: str, language: str) -> list[dict[str, Any]]:
        self._check()
        self.asked.append((text, language))
        if text == "123":
            raise Invalid([Fault("query", "postcode", "invalid-postcode", "Not a postcode.")])
        return self.found


@pytest.fixture
def data() -> Data:
    return Data()


class Client:
    """A browser without cookies: each request goes straight into the application."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def _ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, url, **more)

    def get(self, url: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", url, **more))

    def head(self, url: str) -> httpx.Response:
        return asyncio.run(self._ask("HEAD", url))


def client_for(data: Data, public_url: str | None = None) -> Client:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(pages(data, public_url=public_url))
    app.add_api_route("/graphql", graphiql_page)
    return Client(app)


@pytest.fixture
def client(data: Data) -> Client:
    return client_for(data)


def test_landing_is_dutch_unless_english_is_asked(client: Client) -> None:
    dutch = client.get("/")
    assert dutch.status_code == 200
    assert dutch.headers["content-language"] == "nl"
    assert dutch.headers["vary"] == "Accept-Language"
    assert '<html lang="nl">' in dutch.text
    assert "1.619" in dutch.text
    english = client.get("/", headers={"Accept-Language": "de, nl;q=0.4, en-GB;q=0.9"})
    assert english.headers["content-language"] == "en"
    assert "1,619" in english.text
    assert client.get("/?lang=nl", headers={"Accept-Language": "en"}).headers["content-language"] == "nl"
    assert client.get("/?lang=fr", headers={"Accept-Language": "x;q=y, en;q=none"}).headers["content-language"] == "nl"


def test_chosen_language_stays_with_the_search(client: Client) -> None:
    page = client.get("/?lang=en&q=9711+AB").text
    assert '<input type="hidden" name="lang" value="en">' in page
    assert 'href="/?lang=nl&amp;q=9711+AB"' in page
    assert 'name="lang"' not in client.get("/").text


def test_both_languages_have_the_same_texts() -> None:
    def keys(texts: Mapping[str, Any], path: str = "") -> set[str]:
        found = set()
        for key, value in texts.items():
            found |= keys(value, f"{path}{key}.") if isinstance(value, dict) else {path + key}
            if isinstance(value, list):
                found.add(f"{path}{key}#{len(value)}")
        return found

    assert keys(TEXTS["nl"]) == keys(TEXTS["en"])


def test_find_my_hub_works_without_script(client: Client, data: Data) -> None:
    page = client.get("/?q=++9711++AB+").text.split("<template", 1)[0]
    assert data.asked == [("9711 AB", "nl")]
    assert 'value="9711 AB"' in page
    assert '<h3 data-slot="municipality">Groningen</h3>' in page
    assert '<a href="#hub-groningen">Groningen</a>' in page
    assert TEXTS["nl"]["find"]["proposed_hub"] in page
    assert "GGD Groningen" in page
    assert "Noord (deels)" in page
    assert "<details open>" in page


def test_municipality_without_a_hub_and_hub_with_a_website(client: Client, data: Data) -> None:
    data.found = [
        GRONINGEN | {"hubs": []},
        GRONINGEN | {"hubs": [{"slug": "other", "name": "Other", "website": "https://hub.example/"}]},
    ]
    page = client.get("/?q=g").text.split("<template", 1)[0]
    assert TEXTS["nl"]["find"]["no_hub"] in page
    assert '<a href="https://hub.example/">Other</a>' in page
    assert TEXTS["nl"]["find"]["proposed_hub"] not in page
    assert "2 gemeenten gevonden" in page


def test_long_answers_are_cut_and_say_so(client: Client, data: Data) -> None:
    data.found = [GRONINGEN] * 30
    page = client.get("/?q=g").text.split("<template", 1)[0]
    assert page.count('<article class="found">') == 10
    assert TEXTS["nl"]["find"]["more"] in page


@pytest.mark.parametrize(("query", "key"), [("123", "invalid"), ("", "empty"), ("x" * 61, "invalid")])
def test_wrong_input_is_told_at_the_field(client: Client, query: str, key: str) -> None:
    answer = client.get("/", params={"q": query})
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    assert "<title>Fout: " in answer.text
    field = re.search(r'<input id="q"[^>]*>', answer.text)
    assert field is not None
    assert 'aria-describedby="q-hint q-error"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert f'<span data-slot="message">{TEXTS["nl"]["find"][key]}</span>' in answer.text


def test_nothing_found_says_what_to_do_next(client: Client, data: Data) -> None:
    data.found = []
    answer = client.get("/", params={"q": "<b>Nergens"})
    assert answer.status_code == 200
    page = answer.text.split("<template", 1)[0]
    assert "&lt;b&gt;Nergens" in page
    assert "<b>Nergens" not in page
    assert TEXTS["nl"]["find"]["nothing_next"][0] in page


def test_database_away_still_gives_a_page(client: Client, data: Data) -> None:
    data.away = True
    answer = client.get("/?q=assen")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert TEXTS["nl"]["figures"]["unavailable"] in answer.text
    assert TEXTS["nl"]["find"]["unavailable"] in answer.text
    assert TEXTS["nl"]["intro"]["heading"] in answer.text


def test_hubs_are_shown_as_the_proposal_they_are(client: Client) -> None:
    page = client.get("/").text
    assert 'id="hub-groningen" data-basis="advice-report"' in page
    assert "Hub &lt;Noord&gt;" in page
    assert "590.170 inwoners" in page
    for label in ("voorstel", "expeditie", "voorgestelde volger"):
        assert f">{label}</span>" in page


@pytest.mark.parametrize("path", ["/", "/accessibility", "/docs", "/docs/counts", "/graphql"])
def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for script in re.findall(r"<script[^>]*>.*?</script>", answer.text, re.DOTALL):
        assert re.fullmatch(r'<script src="/static/[^"]+" defer></script>', script)
    assert "<style" not in answer.text
    assert not re.search(r'\s(?:style|on[a-z]+)="', answer.text)
    assert not re.search(r'\s(?:src|href)="(?:https?:)?//', answer.text)
    for address in re.findall(r'"(/static/[^"]+)"', answer.text):
        asset = client.get(address)
        assert asset.status_code == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_only_graphiql_may_style_itself(client: Client) -> None:
    assert "unsafe" not in CSP
    for path in ("/", "/accessibility", "/docs", "/docs/counts"):
        assert client.get(path).headers["content-security-policy"] == CSP
    assert "style-src 'self' 'unsafe-inline'" in client.get("/graphql").headers["content-security-policy"]


def test_every_label_has_its_field_and_every_id_is_unique(client: Client) -> None:
    page = client.get("/?q=9711").text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = re.findall(r'(?:\sfor="|aria-labelledby="|aria-describedby="|href="#)([\w-]+)', page)
    assert {"q", "main", "hub-groningen", "q-hint"} <= set(targets)
    assert set(targets) <= set(ids)
    assert 'role="status"' in page
    assert page.count("<h1") == 1


def test_unchanged_page_is_not_sent_again(client: Client) -> None:
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["content-security-policy"] == CSP
    assert client.get("/?lang=en", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/static/site.css", "/favicon.svg", "/robots.txt", "/.well-known/api-catalog"]
)
def test_head_has_the_headers_of_get(client: Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "cache-control"):
        assert head.headers[name] == get.headers[name]


def test_static_files_have_a_type_a_tag_and_a_place_in_the_cache(client: Client) -> None:
    types = {"site.css": "text/css", "site.js": "text/javascript", "mark.svg": "image/svg+xml"}
    for name, media_type in types.items():
        answer = client.get(static_url(name), headers={"Accept-Encoding": "identity"})
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.content == (FOLDER / name).read_bytes()
        again = client.get(
            static_url(name), headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "identity"}
        )
        assert again.status_code == 304
    assert client.get("/static/site.css?v=old").headers["cache-control"] == "no-cache"


def test_static_files_are_compressed_for_who_can_read_it(client: Client) -> None:
    plain = client.get("/static/site.css", headers={"Accept-Encoding": "identity"})
    small = client.get("/static/site.css", headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"])
    assert small.content == plain.content
    assert small.headers["etag"] != plain.headers["etag"]
    assert small.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/none.css",
        "/static/../routes.py",
        "/static/%2e%2e/routes.py",
        "/static/..%2froutes.py",
        "/static/vendor/../../routes.py",
        "/static//etc/passwd",
        "/static/vendor",
    ],
)
def test_no_way_out_of_the_static_folder(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_vendored_files_are_what_the_table_says() -> None:
    path = Path(__file__).resolve().parents[2] / "tools" / "vendor_assets"
    loader = SourceFileLoader("vendor_assets", str(path))
    spec = spec_from_loader("vendor_assets", loader)
    assert spec is not None
    tool = module_from_spec(spec)
    loader.exec_module(tool)
    listed = {asset.target: asset.sha256 for asset in tool.assets()}
    vendor = FOLDER / "vendor"
    found = {
        file.relative_to(vendor).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in vendor.rglob("*")
        if file.is_file()
    }
    assert found == listed
    assert sum(asset.size for asset in ASSETS.values()) < 4_000_000


def test_security_txt_expires_within_a_year(client: Client, data: Data) -> None:
    answer = client.get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@knooppunt.example"
    left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
    assert timedelta(days=360) < left < timedelta(days=365)
    assert "Canonical" not in fields
    public = client_for(data, "https://hubs.example/").get("/.well-known/security.txt").text
    assert "Canonical: https://hubs.example/.well-known/security.txt" in public


def test_api_catalog_is_a_linkset(client: Client, data: Data) -> None:
    answer = client_for(data, "https://hubs.example").get("/.well-known/api-catalog")
    assert answer.headers["content-type"].startswith("application/linkset+json; profile=")
    assert 'rel="api-catalog"' in answer.headers["link"]
    contexts = {context["anchor"]: context for context in answer.json()["linkset"]}
    rest = contexts["https://hubs.example/v1"]
    assert rest["service-desc"][0]["href"] == "https://hubs.example/v1/openapi.json"
    assert rest["service-doc"][0]["href"] == "https://hubs.example/docs"
    assert client.get("/.well-known/api-catalog").json()["linkset"][1]["anchor"] == "http://testserver/v1"


def test_robots_may_read_the_pages_only(client: Client) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    assert "Disallow: /v1/" in lines
    assert "Disallow: /" not in lines


def test_numbers_are_written_in_the_language() -> None:
    assert number(1234567, "nl") == "1.234.567"
    assert number(1234567, "en") == "1,234,567"
    assert number(None, "nl") == "–"


def test_the_page_on_counts_is_there_in_both_languages(client: Client) -> None:
    for language, heading in (("nl", "Hoe we signalen tellen"), ("en", "How we count signals")):
        response = client.get(f"/docs/counts?lang={language}")
        assert response.status_code == 200
        assert response.headers["content-language"] == language
        assert f"<h1>{heading}</h1>" in response.text


def test_a_question_is_told_with_who_took_part_and_what_came_of_it(client: Client, data: Data) -> None:
    story = client.get("/?lang=en").text.split('id="story"')[1].split("</section>")[0]
    assert "Zorg &lt;dichtbij&gt;" in story
    assert "Jongeren (12)" in story
    assert "Mantelzorgers" not in story  # wanted, and not there
    assert "Promised: <strong>Meewerken</strong>" in story
    assert "Achieved" not in story
    assert "Er komt een inloopspreekuur." in story
    assert f'href="/v1/questions/{STORY["id"]}"' in story
    assert "made-up example" in story
    data.told = None
    assert 'id="story"' not in client.get("/").text


def test_the_landing_page_leads_to_how_is_counted(client: Client) -> None:
    page = client.get("/?lang=en").text
    assert 'href="/docs/counts?lang=en"' in page
    assert "public questions" in page
