"""Files as hubs have them: read as they come, refused by row and reason, never by what stood there."""

from __future__ import annotations

import json

import pytest

from app.domain.errors import Invalid
from app.kit.columns import given_map
from app.kit.rows import read

HEADER = "Kenmerk;Soort;Titel;Omschrijving;Thema's;Regio;Gehoord op;Aantal mensen;Zichtbaarheid"
LINE = "GR-1;Knelpunt;Lang wachten;Reëel probleem;wachttijden|toegang;GG2014;05-03-2026;12;Netwerk"


@pytest.fixture
def file(tmp_path):
    def write(content, name="signalen.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def item(path, *given):
    (row,) = read(path, given_map(given)).rows
    assert row.faults == ()
    return row.item


EXPECTED = {
    "externalId": "GR-1", "kind": "knelpunt", "title": "Lang wachten", "description": "Reëel probleem",
    "themes": ["wachttijden", "toegang"], "region": "GG2014", "heardOn": "2026-03-05", "peopleCount": 12,
    "visibility": "network",
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (f"{HEADER}\r\n{LINE}\r\n".encode(), "UTF-8"),
        (b"\xef\xbb\xbf" + f"{HEADER}\n{LINE}".encode(), "UTF-8"),
        (f"{HEADER}\n{LINE}\n".encode("cp1252"), "Windows-1252"),
        (f"{HEADER}\n{LINE}\n".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n{LINE}\n".replace(";", ",").encode(), "UTF-8"),
        (f"{HEADER}\n\n{LINE}\n;;;;\n".replace(";", "\t").encode(), "UTF-8"),
    ],
    ids=["crlf", "bom", "windows-1252", "utf-16", "commas", "tabs and empty rows"],
)
def test_a_dutch_export_is_read_however_it_was_saved(file, content, encoding):
    path = file(content)
    assert read(path, {}).encoding == encoding
    assert item(path) == EXPECTED


def test_english_names_and_the_names_of_the_contract_are_read_too(file):
    assert item(file("External ID,Kind,Title,Themes,Region\nA,ervaring,T,a|b,GM0014\n"))["themes"] == ["a", "b"]
    row = {"externalId": "A", "kind": "ervaring", "title": "T", "themes": ["a"], "region": "GM0014", "heardOn": None}
    assert item(file(json.dumps(row), "x.ndjson"))["kind"] == "ervaring"


def test_the_very_name_of_a_field_goes_before_what_looks_like_it(file):
    assert item(file("id,externalId,kind,title,themes,region\n7,A,ervaring,T,a,GM0014\n"))["externalId"] == "A"
    assert item(file("externalId,id,kind,title,themes,region\nA,7,ervaring,T,a,GM0014\n"))["externalId"] == "A"


def test_a_column_can_be_named_and_left_out(file):
    path = file("Ref;Wat;Titel;Thema;Regio;Soort\nA;meer;T;a;GM0014;ervaring\n")
    with pytest.raises(Invalid) as refused:
        read(path, {})
    assert [fault.code for fault in refused.value.faults] == ["missing-column"]
    table = read(path, given_map(["Ref=externalId", "Wat="]))
    assert table.rows[0].item["externalId"] == "A"
    assert table.columns.left == ("Wat",)


@pytest.mark.parametrize("given", ["nothing", "Titel=nowhere", "=title"])
def test_a_mapping_that_is_none_is_refused(given):
    with pytest.raises(Invalid):
        given_map([given])


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.csv", "empty-file"), (b" \n", "a.csv", "empty-file"), (f"{HEADER}\n", "a.csv", "empty-file"),
        (b"PK\x03\x04rest", "a.xlsx", "wrong-file"), (b"\x89PNG\0\0\x81", "a.csv", "wrong-file"),
        ("een;twee\n1;2\n", "a.csv", "missing-column"), ("[1]\nnope\n", "a.ndjson", "wrong-file"),
        ("id;titel;titel\n1;2;3\n", "a.csv", "two-columns"), ("id;titel;kop\n1;2;3\n", "a.csv", "two-columns"),
        (f'{HEADER}\nA;"not closed', "a.csv", "wrong-file"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_in_words(file, content, name, code):
    with pytest.raises(Invalid) as refused:
        read(file(content, name), {})
    assert code in [fault.code for fault in refused.value.faults]
    with pytest.raises(Invalid):
        read(file("x").with_name("not-there.csv"), {})


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"heardOn": "gisteren"}, "heardOn", "invalid-value"), ({"peopleCount": "veel"}, "peopleCount", "invalid-value"),
        ({"peopleCount": "0"}, "peopleCount", "out-of-range"), ({"kind": "klacht"}, "kind", "unknown-code"),
        ({"title": ""}, "title", "required"), ({"externalId": ""}, "externalId", "required"),
        ({"title": "x" * 201}, "title", "too-long"), ({"themes": "|".join("abcdefghijk")}, "themes", "too-many"),
        ({"description": "Bel 06 12345678 of mail jan@voorbeeld.nl"}, "description", "personal-data"),
        ({"delete": "misschien"}, "delete", "invalid-value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_cell_is_told_by_row_and_field_and_never_repeated(file, changes, field, code):
    sound = {"externalId": "A", "kind": "ervaring", "title": "T", "themes": "a", "region": "GM0014", "description": "d"}
    path = file(json.dumps(sound | {"externalId": "B", "delete": ""}) + "\n" + json.dumps(sound | changes), "x.ndjson")
    first, second = read(path, {}).rows
    assert first.faults == ()
    assert (field, code) in [(fault.location, fault.code) for fault in second.faults]
    assert second.number == 2
    for value in changes.values():
        assert len(value) < 3 or all(value not in fault.detail for fault in second.faults)


def test_a_broken_line_is_refused_by_itself_and_rows_with_one_id_together(file):
    sound = {"externalId": "A", "kind": "ervaring", "title": "T", "themes": ["a"], "region": "GM0014"}
    lines = [
        json.dumps(sound),
        '{"externalId": "B", broken',
        json.dumps(sound | {"externalId": "C"}),
        json.dumps(sound),
    ]
    rows = read(file("\n".join(lines), "x.ndjson"), {}).rows
    codes = [[fault.code for fault in row.faults] for row in rows]
    assert codes == [["repeated-external-id"], ["invalid-json"], [], ["repeated-external-id"]]
    assert [row.number for row in rows] == [1, 2, 3, 4]


def test_a_row_keeps_its_line_where_cells_have_lines_of_their_own(file):
    path = file(f'{HEADER}\n"A";ervaring;T;"een\ntwee";a;GM0014;;;\nB;ervaring;T;d;a;GM0014;;;\n')
    assert [(row.number, row.external_id) for row in read(path, {}).rows] == [(2, "A"), (4, "B")]


def test_a_deletion_needs_no_more_than_an_id(file):
    rows = read(file("extern id;verwijderen\nA;ja\nB;x\n"), {}).rows
    assert [dict(row.item) for row in rows] == [
        {"externalId": "A", "delete": True},
        {"externalId": "B", "delete": True},
    ]
