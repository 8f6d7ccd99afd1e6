"""The static files: known by name from the start, read when asked for.

The set is fixed: a path either is a key of the table or it does not exist, and no request can lead to another file.
Most of the 4 MB is for two pages that few open, so a worker does not keep it; the system does. The content hash in the URL lets a browser keep a file for a year and still see the next
release at once.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import Request, Response

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # LICENSE and NOTICE of the vendored packages
}
_FOR_EVER = "public, max-age=31536000, immutable"
# Without the right hash in the URL the content may differ tomorrow: keep it, but ask first.
_ASK_FIRST = "no-cache"


@dataclass(frozen=True)
class Asset:
    """One file: where it is, its size in bytes, its type and the hash that names its content."""

    path: Path
    size: int
    media_type: str
    digest: str

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def zipped(self) -> bytes:
        """The content with gzip, made when first asked for (the largest file takes 50 ms), and kept: a quarter."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)


def _load(folder: Path) -> dict[str, Asset]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
            asset = Asset(path, path.stat().st_size, _TYPES[path.suffix], digest)
            found[path.relative_to(folder).as_posix()] = asset
    return found


ASSETS = _load(FOLDER)


def static_url(name: str) -> str:
    """The URL of a static file with its content hash. An unknown name is a mistake in a template: KeyError."""
    return f"/static/{name}?v={ASSETS[name].digest}"


def serve(request: Request, name: str) -> Response:
    """Answers a static file, 304 when the browser has this content, 404 when there is no such file."""
    asset = ASSETS.get(name)
    if asset is None:
        return Response("Not found\n", status_code=404, media_type="text/plain", headers={"Cache-Control": "no-cache"})
    zipped = "gzip" in request.headers.get("accept-encoding", "") and asset.size > 1024
    # Two encodings are two representations: a strong tag may not be the same for both (RFC 9110 section 8.8.3.3).
    tag = f'"{asset.digest}-gzip"' if zipped else f'"{asset.digest}"'
    headers = {
        "Cache-Control": _FOR_EVER if request.query_params.get("v") == asset.digest else _ASK_FIRST,
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        # An SVG opened on its own is a document: it gets no right to do anything either.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(asset.zipped if zipped else asset.content, media_type=asset.media_type, headers=headers)
