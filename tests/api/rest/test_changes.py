import pytest
from tests.signal_cases import add


async def test_it(as_):
    async with as_("own-hub") as own:
        q = 'query($t:[String!]){ changes(first: 3, types: $t) { n: items { cursor type id op version externalId hub { slug } signal { title themes { code } } } cursor more __typename } changeDigests(hub: "groningen") { type month count digest hub { slug name } } }'
        r = await own.post("/graphql", json={"query": q, "variables": {"t": ["signal"]}})
        print(r.status_code, r.text[:3000])
        for c in ("abc", "abc.def"):
            r = await own.get(f"/v1/changes?cursor={c}")
            print(r.text)
        assert 0
