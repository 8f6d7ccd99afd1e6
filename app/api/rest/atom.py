"""A feed as Atom (RFC 4287), in pages (RFC 5005).

Not `feedgen`: it builds a tree of objects over lxml, and takes longer for a page than PostgreSQL for its content; what is
left of the format are a few elements with escaped text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

ATOM = "application/atom+xml"
BEFORE_EVERYTHING = "1970-01-01T00:00:00Z"
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def atom(title: str, language: str, links: Mapping[str, str], scheme: str, items: Sequence[Mapping[str, Any]]) -> bytes:
    """The document. `items` are those of JSON Feed; `links` the addresses by relation, `self` and `first` among them."""
    updated = max((item["date_modified"] for item in items), default=BEFORE_EVERYTHING)
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={_attribute(language)}>',
        # The identity of the feed, whichever page or format this is.
        f"<id>{uuid.uuid5(uuid.NAMESPACE_URL, links['first'].partition('?')[0]).urn}</id>",
        f"<title>{_text(title)}</title>",
        f"<updated>{updated}</updated>",
        "<author><name>Knooppunt</name></author>",
        *(
            f"<link rel={_attribute(name)} type={_attribute(ATOM)} href={_attribute(to)}/>"
            for name, to in links.items()
        ),
        *(_entry(item, scheme) for item in items),
        "</feed>\n",
    ]
    return "\n".join(parts).encode()


def _entry(item: Mapping[str, Any], scheme: str) -> str:
    """One entry. What is gone keeps its id: a reader puts this in the place of what it held."""
    known = item["_knooppunt"]
    parts = [
        f"<entry xml:lang={_attribute(item['language'])}>",
        f"<id>{item['id']}</id>",
        f"<title>{_text(item['title'])}</title>",
        f"<updated>{item['date_modified']}</updated>",
    ]
    if known["state"] == "present":
        parts.append(f"<published>{item['date_published']}</published>")
        parts.append(f'<link rel="alternate" href={_attribute(item["url"])}/>')
        parts += [
            f"<author><name>{_text(author['name'])}</name><uri>{_text(author['url'])}</uri></author>"
            for author in item["authors"]
        ]
        parts += [f"<category term={_attribute(theme)} scheme={_attribute(scheme)}/>" for theme in known["themes"]]
    else:
        parts.append(f'<category term={_attribute(known["state"])} scheme="urn:nld:knooppunt:state"/>')
    parts.append(f'<content type="text">{_text(item["content_text"])}</content></entry>')
    return "".join(parts)


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_IN_XML.sub("", text))
