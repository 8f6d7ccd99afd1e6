"""`knooppunt conformance`: the service passes its own rules, and an endpoint that breaks one fails on that one."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import httpx
import pytest

from app.kit.check_pushing import PUSHING
from app.kit.check_reading import READING
from app.kit.conformance import Try, run_checks
from tests.kit.conftest import served
from tests.kit.wrong import Wrong

NAMES = [check.name for check in (*READING, *PUSHING)]


def test_the_service_keeps_its_own_rules(knooppunt, service):
    with service.client("own-hub") as client:
        before = client.get("/v1/changes/digest").json()
        result = knooppunt(
            "conformance", service.url, "--hub", "groningen", "--json", KNOOPPUNT_TOKEN=service.tokens["own-hub"]
        )
        found = json.loads(result.stdout)
        assert [(each["check"], each["outcome"], each["detail"]) for each in found] == [
            (name, "passed", "") for name in NAMES
        ]
        assert result.exit_code == 0
        assert client.get("/v1/changes/digest").json() == before, "nothing is left of what was pushed"


def test_an_anonymous_reader_tries_reading_alone_and_gets_a_readable_report(knooppunt, service):
    result = knooppunt("conformance", service.url)
    assert result.exit_code == 0
    assert f"{len(READING)} passed, 0 failed, {len(PUSHING)} not tried" in result.stdout
    assert "docs/client-kit.md#push-idempotent" in result.stdout


BROKEN = [
    ("no more", "feed"), ("another order", "paging"), ("other entries", "cursor-stability"), ("doubled", "order"),
    ("gone back", "order"), ("older by itself", "compaction"), ("no resources", "resources"), ("types ignored", "types"),
    ("begins again", "end"), ("impatient", "wait"), ("plain errors", "refusals"), ("takes anything", "unknown-keys"),
    ("silently anonymous", "bad-token"), ("another digest", "digest"), ("loses entries", "digest"),
    ("always another version", "push-idempotent"), ("put that does not replace", "put-by-external-id"),
    ("shuffled results", "results-in-order"), ("last one wins", "version-conflict"), ("echoes", "personal-data"),
    ("half done", "atomic"), ("takes doubles", "repeated-id"), ("takes too many", "too-many"), ("no lines", "ndjson"),
    ("no gzip", "gzip"), ("forgets keys", "idempotency-key"), ("any hub", "another-hub"),
    ("no deletions in the feed", "seen-in-feed"), ("deletes nothing", "deletion"),
]  # fmt: skip


def test_every_check_is_seen_to_fail():
    assert {check for _, check in BROKEN} == set(NAMES)


@pytest.mark.parametrize(("fault", "name"), BROKEN, ids=[fault for fault, _ in BROKEN])
def test_an_endpoint_that_breaks_a_rule_fails_on_it(service, fault, name):
    (finding,) = checked(service, fault, name)
    assert finding.outcome == "failed", finding.detail
    assert finding.detail.endswith(".")


@pytest.mark.parametrize("name", sorted({name for _, name in BROKEN}))
def test_the_same_check_passes_where_nothing_is_spoilt(service, name):
    (finding,) = checked(service, "nothing", name)
    assert (finding.outcome, finding.detail) == ("passed", "")


def checked(service, fault, name):
    """What comes of one check, after the feed was read soundly."""

    async def run():
        headers = {"authorization": f"Bearer {service.tokens['own-hub']}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as sound:
            given = Try(sound, "groningen")
            if fault not in ("no more", "doubled", "gone back", "no resources", "loses entries"):
                await run_checks(given, READING[:1], lambda _: None)
        with served(Wrong(service.url, fault)) as url:
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
                given = dataclasses.replace(given, client=client)
                if not given.entries and name != "feed":
                    await run_checks(given, READING[:1], lambda _: None)
                if name == "deletion":  # something to delete
                    await run_checks(given, [c for c in PUSHING if c.name == "gzip"], lambda _: None)
                return await run_checks(given, [c for c in (*READING, *PUSHING) if c.name == name], lambda _: None)

    return asyncio.run(run())


def test_a_broken_rule_is_exit_code_1_and_told_with_a_link(knooppunt, service):
    with served(Wrong(service.url, "takes anything")) as url:
        result = knooppunt("conformance", url)
    assert result.exit_code == 1
    assert f"{len(READING) - 1} passed, 1 failed" in result.stdout
    assert "docs/client-kit.md#unknown-keys" in result.stdout


def test_nobody_there_is_no_pass(knooppunt):
    result = knooppunt("conformance", "http://127.0.0.1:9", "--json")
    assert result.exit_code == 1
    assert "passed" not in result.stdout
