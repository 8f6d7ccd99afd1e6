"""The published contract against the service, with input that a machine thinks of."""

from __future__ import annotations

import json

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from app.contracts import export

load_all_checks()
# Codes, words and cursors must exist to be accepted, and a contract cannot list them; the others need a second
# request, and are tried by hand in test_conventions.py. Every other check is on.
LEFT_OUT = {"positive_data_acceptance", "ignored_auth", "use_after_free", "ensure_resource_availability", "object_level_authorization"}  # fmt: skip
CHECKED = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]
# 414 is a refusal too, which the check does not know: invalid text may also be longer than any query.
REFUSALS = {"negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "406", "414", "415"]}}
CONFIG = SchemathesisConfig.from_dict({"checks": REFUSALS})
CONTRACT = schemathesis.openapi.from_dict(json.loads(export()["openapi.json"]), config=CONFIG)
OPERATIONS = {found.ok().label: found.ok() for found in CONTRACT.get_all_operations()}
# A stream has no end; test_changes_waiting.py and test_feeds.py read them.
STREAMS = {"GET /changes/stream", "GET /feeds/{feed}/stream"}
READS = [label for label in OPERATIONS if label.startswith("GET ") and label not in STREAMS]
EITHER = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
FEW = settings(max_examples=6, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


async def sent(client, case):
    """The case over HTTP as the service gets it from the net."""
    made = requests.Request(**case.as_transport_kwargs(base_url="http://knooppunt.test/v1")).prepare()
    body = made.body.encode() if isinstance(made.body, str) else made.body
    headers = {
        name: value if isinstance(value, bytes) else value.encode("latin-1") for name, value in made.headers.items()
    }
    response = await client.send(httpx.Request(made.method, made.url, headers=headers, content=body))
    assert response.status_code < 500, response.text
    return response


@pytest.mark.parametrize("label", READS)
@given(data=st.data(), mode=EITHER)
@FEW
async def test_whatever_is_asked_is_answered_as_the_contract_says(api, label, data, mode):
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=mode))
    response = await sent(api, case)
    if response.status_code == 200 and "fields" in (case.query or {}):
        return  # the members asked for, and so less than the schema: test_conventions.py
    case.validate_response(response, checks=CHECKED)


@pytest.mark.parametrize("label", [label for label in OPERATIONS if label not in READS and label not in STREAMS])
@given(data=st.data(), mode=EITHER)
@FEW
async def test_nobody_changes_anything_and_hears_why(api, label, data, mode):
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=mode))
    response = await sent(api, case)
    assert response.status_code in (401, 404, 405, 413)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("label", [label for label in OPERATIONS if label not in READS and label not in STREAMS])
@given(data=st.data())
@FEW
async def test_nothing_that_breaks_the_contract_is_accepted_from_who_may_change(as_, label, data):
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    async with as_("admin") as client:  # it may change nothing of this, so whatever comes through is refused in the end
        response = await sent(client, case)
    assert 400 <= response.status_code < 500
