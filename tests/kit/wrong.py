"""An endpoint that breaks one rule: it passes requests on to a sound service, and spoils them or the answers."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import httpx


class Wrong:
    """An ASGI application before `url`. `fault` names a method of `Spoils`: before(request) and after(request, answer)."""

    def __init__(self, url, fault):
        self.url = url
        self.fault = fault
        self.seen = Counter()

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        skip = (b"host", b"content-length", b"accept-encoding")
        headers = {k.decode(): v.decode() for k, v in scope["headers"] if k not in skip}
        params = dict(httpx.QueryParams(scope["query_string"].decode()))
        asked = {"method": scope["method"], "path": scope["path"], "params": params, "headers": headers, "body": body}
        self.seen[scope["path"]] += 1
        before, after = SPOILS[self.fault]
        early = before(self, asked) if before else None
        if early is not None:
            status, kind, content = early
        else:
            async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
                answer = await client.request(
                    asked["method"],
                    asked["path"],
                    params=asked["params"],
                    headers=asked["headers"],
                    content=asked["body"],
                )
            status, kind, content = answer.status_code, answer.headers.get("content-type", ""), answer.content
            if after:
                status, kind, content = after(self, asked, status, kind, content)
        extra = [(b"www-authenticate", b"Bearer")] if status == 401 else []
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode()), *extra]}
        )
        await send({"type": "http.response.body", "body": content})


def page(change):
    """Spoils pages of the feed."""

    def after(wrong, asked, status, kind, content):
        if asked["path"] == "/v1/changes" and status == 200:
            found = json.loads(content)
            change(wrong, asked, found)
            content = json.dumps(found).encode()
        return status, kind, content

    return None, after


def items(change):
    """Spoils the items of a batch."""

    def before(wrong, asked):
        if asked["path"].endswith("_batch") and asked["headers"].get("content-type") == "application/json":
            packed = asked["headers"].pop("content-encoding", None)
            found = json.loads(gzip.decompress(asked["body"]) if packed else asked["body"])
            change(wrong, asked, found)
            asked["body"] = json.dumps(found).encode()

    return before, None


def request(change):
    return (lambda wrong, asked: change(asked)), None


def answer(path, change):
    def after(wrong, asked, status, kind, content):
        return change(asked, status, kind, content) if path in asked["path"] else (status, kind, content)

    return None, after


def _reverse_results(asked, status, kind, content):
    found = json.loads(content)
    if "results" in found:
        found["results"].reverse()
    return status, kind, json.dumps(found).encode()


def _echo(asked, status, kind, content):
    return (
        status,
        kind,
        content.replace(b'"personal-data"', b'"personal-data","given":' + json.dumps(asked["body"].decode()).encode()),
    )


def _plain_errors(asked, status, kind, content):
    return status, "application/json" if status == 400 else kind, content


def _other_count(asked, status, kind, content):
    found = json.loads(content)
    found["items"][0]["count"] += 1
    return status, kind, json.dumps(found).encode()


def _older(asked, status, kind, content):
    return (
        (status, kind, json.dumps(json.loads(content) | {"version": 0}).encode())
        if status == 200
        else (status, kind, content)
    )


def _skip_sometimes(wrong, asked, found):
    if asked["params"].get("cursor") and wrong.seen["/v1/changes"] % 2:
        del found["items"][:1]


def _old_entry(wrong, asked, found):
    if found["items"]:
        found["items"].append(found["items"][0] | {"version": found["items"][0]["version"] - 1})


def _lose(wrong, asked, found):
    if int(asked["params"].get("limit", 200)) > 100:
        del found["items"][3::5]


def _retitle(wrong, asked, found):
    for number, item in enumerate(found["items"]):
        if "title" in item:
            item["title"] += f" {'abcdefghij'[wrong.seen[asked['path']] % 10]}{'abcdefghij'[number % 10]}"


def _without(name):
    return items(lambda wrong, asked, found: [item.pop(name, None) for item in found["items"]])


def _rename_second(wrong, asked, found):
    if len(found["items"]) == 2:
        found["items"][1]["externalId"] += "-2"


def _put_old(asked):
    if asked["method"] == "PUT":
        found = json.loads(asked["body"])
        asked["body"] = json.dumps(found | {"title": "Altijd hetzelfde"}).encode()


def _refuse(header, value):
    def before(wrong, asked):
        if asked["headers"].get(header) == value:
            return 415, "application/problem+json", b'{"code": "unsupported"}'
        return None

    return before, None


SPOILS = {
    "nothing": (None, None),
    "no more": page(lambda wrong, asked, found: found.pop("more")),
    "another order": page(lambda wrong, asked, found: found["items"].reverse()),
    "other entries": page(_skip_sometimes),
    "doubled": page(lambda wrong, asked, found: found["items"].extend(found["items"][:1])),
    "gone back": page(_old_entry),
    "older by itself": answer("/v1/signals/", _older),
    "no resources": page(lambda wrong, asked, found: [item.pop("resource", None) for item in found["items"]]),
    "types ignored": request(lambda asked: asked["params"].pop("types", None) and None),
    "begins again": request(lambda asked: asked["params"].pop("cursor", None) and None),
    "impatient": request(lambda asked: asked["params"].pop("wait", None) and None),
    "plain errors": answer("/v1/changes", _plain_errors),
    "takes anything": request(lambda asked: asked["params"].pop("nosuchkey", None) and None),
    "silently anonymous": request(lambda asked: asked["headers"].pop("authorization", None) and None),
    "another digest": answer("/digest", _other_count),
    "loses entries": page(_lose),
    "always another version": items(_retitle),
    "put that does not replace": request(_put_old),
    "shuffled results": answer("_batch", _reverse_results),
    "last one wins": _without("version"),
    "echoes": answer("_batch", _echo),
    "half done": items(lambda wrong, asked, found: found.update(mode="partial")),
    "takes doubles": items(_rename_second),
    "takes too many": items(lambda wrong, asked, found: found.update(items=found["items"][:1000])),
    "no lines": _refuse("content-type", "application/x-ndjson"),
    "no gzip": _refuse("content-encoding", "gzip"),
    "forgets keys": request(lambda asked: asked["headers"].pop("idempotency-key", None) and None),
    "any hub": request(lambda asked: asked.update(path=asked["path"].replace("no-such-hub", "groningen"))),
    "no deletions in the feed": page(
        lambda wrong, asked, found: found.update(items=[i for i in found["items"] if i["op"] != "delete"])
    ),
    "deletes nothing": items(
        lambda wrong, asked, found: found.update(
            items=[i | {"externalId": "never-there"} if i.get("delete") else i for i in found["items"]]
        )
    ),
}
