"""The `knooppunt` command: what it prints where, and that whatever goes wrong is a sentence and an exit code."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.infra.embedded import OWNER, SERVICE

EXPORT = Path(__file__).parent / "fixtures" / "statline" / "85755NED_UntypedDataSet.csv"
TOKEN = re.compile(r"kp_[A-Za-z0-9_-]{43}\n")


@pytest.fixture(scope="module")
def place(fresh):
    return fresh("cli")


@pytest.fixture
def run(place):
    """Runs a command on this module's database; `**environment` overrides."""

    def command(*arguments, **environment):
        given = {"DATABASE_URL": place.service, "DATABASE_OWNER_URL": place.owner} | environment
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return command


def ask(place, sql, *args):
    async def once():
        connection = await asyncpg.connect(place.owner)
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()

    return asyncio.run(once())


def test_a_new_client_is_a_token_on_stdout_and_nothing_else(run, place):
    name = f"Gemeente {uuid.uuid4().hex}"
    result = run("client", "create", name, "--role", "hub", "--hub", "groningen")
    assert result.exit_code == 0
    assert TOKEN.fullmatch(result.stdout)
    assert result.stderr == ""
    listed = run("client", "list").stdout
    assert "groningen" in listed
    assert "kp_" not in listed
    assert ask(place, "select expires_at > now() + interval '364 days' from client where name = $1", name)


def test_a_client_that_never_expires_is_asked_for_by_zero_days(run, place):
    name = uuid.uuid4().hex
    run("client", "create", name, "--role", "national", "--expires-days", 0)
    assert ask(place, "select expires_at is null from client where name = $1", name)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--role", "hub"), ("--role", "hub", "--hub", "nergens"), ("--role", "umbrella"), ("--role", "king"),
        ("--role", "national", "--hub", "groningen"), ("--role", "umbrella", "--umbrella", "niets"),
    ],
)  # fmt: skip
def test_a_client_that_cannot_be_is_refused_with_nothing_on_stdout(run, place, arguments):
    name = uuid.uuid4().hex
    result = run("client", "create", name, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.rstrip().endswith(".")
    assert ask(place, "select count(*) from client where name = $1", name) == 0


def test_rotate_prints_the_new_token_and_revoke_says_so(run, place):
    name = uuid.uuid4().hex
    run("client", "create", name, "--role", "admin")
    identity = ask(place, "select id from client where name = $1", name)
    before = ask(place, "select token_hash from client where id = $1", identity)
    assert TOKEN.fullmatch(run("client", "rotate", identity).stdout)
    assert ask(place, "select token_hash from client where id = $1", identity) != before
    revoked = run("client", "revoke", identity)
    assert (revoked.exit_code, revoked.stdout) == (0, "")
    for command in (("rotate", identity), ("revoke", uuid.uuid4())):
        result = run("client", *command)
        assert (result.exit_code, result.stdout) == (1, "")


def test_what_was_done_already_is_said_and_is_no_error(run):
    for command, word in (
        (("migrate",), "up to date"),
        (("reference", "load"), "loaded already"),
        (("demo", "load"), "there already"),
    ):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (0, "")
        assert word in result.stderr


def test_the_demonstration_goes_and_comes(run, place):
    assert run("demo", "clear").exit_code == 0
    assert ask(place, "select count(*) from signal") == 0
    assert ask(place, "select count(*) from hub") == 15
    assert "loaded" in run("demo", "load").stderr
    assert ask(place, "select count(*) from hub") == 16
    assert ask(place, "select count(*) from signal where demonstration") == 320


def test_an_import_shows_before_it_changes(run, place):
    shown = run("reference", "import", EXPORT, "--year", 2024)
    assert shown.exit_code == 0
    assert "2024" in shown.stdout
    assert "--apply" in shown.stderr
    assert ask(place, "select count(*) from imported_edition") == 0


def test_an_import_of_nothing_is_refused(run, tmp_path):
    empty = tmp_path / "leeg.csv"
    empty.touch()
    for source in (empty, tmp_path / "weg.csv", "ftp://example.org/x", "http://example.org/x"):
        result = run("reference", "import", source, "--year", 2024, "--apply")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr


def test_the_contracts_are_written_where_one_asks(run, tmp_path):
    assert run("openapi", "export", tmp_path / "new").exit_code == 0
    assert json.loads((tmp_path / "new" / "openapi.json").read_text())["openapi"].startswith("3.1")
    assert "type Query" in (tmp_path / "new" / "schema.graphql").read_text()


COMMANDS = [("client", "list"), ("demo", "load"), ("reference", "load"), ("client", "create", "x", "--role", "admin")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_not_there_is_a_sentence_without_its_password(run, command):
    away = "postgresql://somebody:geheim@127.0.0.1:9/x"
    result = run(*command, DATABASE_URL=away, DATABASE_OWNER_URL=away)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be reached" in result.stderr
    assert "geheim" not in result.stderr


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[2], COMMANDS[3], ("demo", "clear")], ids=" ".join)
def test_the_services_own_address_is_not_enough_for_the_owners_work(run, place, command):
    result = run(*command, DATABASE_OWNER_URL=place.service)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "DATABASE_OWNER_URL" in result.stderr


def test_an_empty_database_is_told_to_migrate_and_then_prepared_in_one_go(run, template):
    async def databases(drop):
        connection = await asyncpg.connect(template.owner)
        await connection.execute("drop database if exists knooppunt_cli_empty with (force)")
        if not drop:
            await connection.execute(f"create database knooppunt_cli_empty owner {OWNER} template template0")
        await connection.close()

    asyncio.run(databases(drop=False))
    tail = template.owner.partition("@")[2]
    host, _, query = tail.partition("?")
    addresses = {
        name: f"postgresql://{user}:test@{host.partition('/')[0]}/knooppunt_cli_empty" + (f"?{query}" if query else "")
        for name, user in (("DATABASE_URL", SERVICE), ("DATABASE_OWNER_URL", OWNER))
    }
    for command in COMMANDS:
        result = run(*command, **addresses)
        assert result.exit_code == 1
        assert "knooppunt migrate" in result.stderr
    result = run("prepare", **addresses)
    assert (result.exit_code, result.stdout) == (0, "")
    assert run("prepare", **addresses).stderr.strip() == "", "the second time there is nothing to do"
    asyncio.run(databases(drop=True))


def test_a_newer_database_is_exit_code_1_for_migrate_and_come_back_later_for_prepare(run, place):
    head = ask(place, "select version_num from alembic_version")
    ask(place, "update alembic_version set version_num = '29990101_later'")
    try:
        migrate, prepare = run("migrate"), run("prepare", "--wait", 1)
    finally:
        ask(place, "update alembic_version set version_num = $1", head)
    assert (migrate.exit_code, prepare.exit_code) == (1, 75)
    for result in (migrate, prepare):
        assert "newer" in result.stderr


def test_a_revision_that_is_not_there_is_refused(run):
    result = run("migrate", "--to", "20200101_nothing")
    assert result.exit_code == 1
    assert "no such revision" in result.stderr


@pytest.mark.parametrize("name", ["PORT", "WORKERS", "STATEMENT_TIMEOUT_SECONDS"])
def test_a_wrong_setting_is_named(run, name):
    for command in (("migrate",), ("serve",), ("prepare",)):
        result = run(*command, **{name: "geheim"})
        assert result.exit_code == 1
        assert name in result.stderr
        assert "geheim" not in result.stderr


def test_the_change_log_is_compacted_and_says_what_went(run, place):
    ask(
        place,
        """insert into change (epoch, xact_id, type, resource_id, version, op, audience)
        select 1, 1, 1, md5('compacted')::uuid, n, 1, 0 from generate_series(1, 1234) n""",
    )
    said = run("changes", "compact").output
    assert int(re.search(r"Removed ([\d,]+) replaced entries and 0 old deletions", said)[1].replace(",", "")) >= 1_233
    assert ask(place, "select array_agg(version) from change where resource_id = md5('compacted')::uuid") == [1234]
    assert "Removed 0 replaced entries" in run("changes", "compact").output


def test_counts_are_verified_told_when_wrong_and_made_anew(run, place):
    async def spoil():
        connection = await asyncpg.connect(place.owner)
        await connection.execute("update count_cell set n = n + 1 where ctid = (select ctid from count_cell limit 1)")
        await connection.close()

    assert run("national", "rebuild").exit_code == 0
    assert run("national", "verify").exit_code == 0
    asyncio.run(spoil())
    found = run("national", "verify")
    assert found.exit_code == 1
    assert "expected" in found.stdout
    assert run("national", "rebuild").exit_code == 0
    assert run("national", "verify").exit_code == 0
