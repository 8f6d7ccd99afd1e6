"""GET /v1/regions and what hangs on it, through HTTP on the packaged data."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("day", "count"), [("2016-06-01", 390), ("2022-02-01", 345), ("2022-06-01", 344), ("2023-01-01", 342), ("2030-01-01", 342)]
)
async def test_the_municipalities_are_exact_by_date(get, day, count):
    found, address = [], f"/v1/regions?scheme=gemeente&limit=200&asOf={day}&fields=code"
    while address:
        page = await get(address)
        found += [item["code"] for item in page["items"]]
        address = page["next"]
    assert len(found) == len(set(found)) == count


async def test_a_municipality_that_has_ended_leads_to_its_successors(api):
    response = await api.get("/v1/regions/GM0003")
    assert response.status_code == 404
    assert response.json()["successors"] == [{"code": "GM1979", "scheme": "gemeente", "name": "Eemsdelta"}]
    assert (await api.get("/v1/regions/GM0003?asOf=2020-12-31")).json()["name"] == "Appingedam"
