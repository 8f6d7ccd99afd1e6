"""Fetches a table of CBS StatLine: from a file, from the address of a file, or from the OData 3 service.

A table is small (342 rows), but the address is somebody else's: size, pages, redirects, attempts and time are limited.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import stamina

from app.domain.errors import DomainError, TooLarge, Unavailable
from app.domain.statline import Table
from app.infra.statline_format import Page, parse, refusal, table_id_in, year_in

Progress = Callable[[int], None]

_DATASET = re.compile(r"(?P<root>.*/odata/\d{5}ned)(?:/(?P<set>UntypedDataSet|TypedDataSet))?/?", re.IGNORECASE)
_JSON_ONLY = {"$format": "json"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one fetch may cost. `page_rows` is the most that the service gives in one answer (CBS: 10,000)."""

    size_bytes: int = 64 * 1024 * 1024
    pages: int = 50
    page_rows: int = 10_000
    redirects: int = 5
    attempts: int = 5
    timeout_seconds: float = 30.0
    total_seconds: float = 300.0
    longest_wait_seconds: float = 60.0


async def fetch(
    source: str,
    *,
    client: httpx.AsyncClient | None = None,
    on_progress: Progress | None = None,
    limits: Limits | None = None,
) -> Table:
    """The table at `source`: a path, or an http(s) address; plain http on this machine only.

    `on_progress` is called with the number of rows so far. Raises `Invalid` (the source is wrong or is no table),
    `TooLarge`, or `Unavailable` (the service does not answer now).
    """
    limits = limits or Limits()
    progress = on_progress or (lambda _rows: None)
    if "://" not in source:
        return await _from_file(Path(source), limits, progress)
    if client is not None:
        return await _within(_Download(client, limits, progress).table(_checked(source)), limits)
    async with httpx.AsyncClient(headers={"User-Agent": "knooppunt"}) as own:
        return await _within(_Download(own, limits, progress).table(_checked(source)), limits)


async def _within(work: Awaitable[Table], limits: Limits) -> Table:
    try:
        async with asyncio.timeout(limits.total_seconds):
            return await work
    except TimeoutError:
        raise Unavailable(f"The download took longer than {limits.total_seconds:g} seconds.") from None


async def _from_file(path: Path, limits: Limits, progress: Progress) -> Table:
    content = await asyncio.to_thread(_read, path, limits.size_bytes)
    page = await asyncio.to_thread(parse, content)
    if page.next_link:
        raise refusal("truncated", "This file is one page of several. Give the address of the table instead.")
    progress(len(page.rows))
    return Table(page.rows, page.table_id or table_id_in(path.name), page.title, year_in(page.title))


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError:
        raise refusal("source-not-found", "There is no readable file at this path.") from None
    if len(content) > limit:
        raise TooLarge(_too_large(limit))
    return content


class _Download:
    """One download, with what is left of its budget."""

    def __init__(self, client: httpx.AsyncClient, limits: Limits, progress: Progress) -> None:
        self.client = client
        self.limits = limits
        self.progress = progress
        self.bytes_left = limits.size_bytes

    async def table(self, url: httpx.URL) -> Table:
        """Every page of the data set, then its title (a hint for the year; it may be missing)."""
        dataset = _DATASET.fullmatch(url.path)
        if dataset is None:
            page, rows = await self._pages(url, by_skip=False)
            title = page.title
        else:
            root = url.copy_with(path=dataset["root"], query=None)
            rows_url = url.copy_with(path=f"{dataset['root']}/{dataset['set'] or 'UntypedDataSet'}")
            page, rows = await self._pages(rows_url.copy_merge_params(_JSON_ONLY), by_skip=True)
            title = await self._title(root.copy_with(path=f"{root.path}/TableInfos", params=_JSON_ONLY))
        return Table(tuple(rows), page.table_id or table_id_in(url.path), title, year_in(title))

    async def _pages(self, url: httpx.URL, *, by_skip: bool) -> tuple[Page, list[Mapping[str, str]]]:
        """The first page and all rows, following the link to the next page, or `$skip` where a full page has none."""
        rows: list[Mapping[str, str]] = []
        first: Page | None = None
        current: httpx.URL | None = url
        seen: set[str] = set()
        while current is not None:
            if str(current) in seen:
                raise refusal("paging-loop", "The service links a page back to an earlier one.")
            if len(seen) >= self.limits.pages:
                raise TooLarge(f"The table has more than {self.limits.pages} pages.")
            seen.add(str(current))
            page = await asyncio.to_thread(parse, await self._get(current))
            first = first or page
            rows += page.rows
            self.progress(len(rows))
            if page.next_link:
                current = _followed(current, page.next_link)
            elif by_skip and len(page.rows) >= self.limits.page_rows:
                current = url.copy_merge_params({"$skip": str(len(rows))})
            else:
                current = None
        assert first is not None
        return first, rows

    async def _title(self, url: httpx.URL) -> str | None:
        try:
            rows = (await asyncio.to_thread(parse, await self._get(url))).rows
        except DomainError:
            return None
        return rows[0].get("Title") if rows else None

    async def _get(self, url: httpx.URL) -> bytes:
        """The body, after as many attempts as it takes: the service is at times overloaded just after publication."""
        try:
            async for attempt in stamina.retry_context(
                on=self._wait, attempts=self.limits.attempts, timeout=self.limits.total_seconds, wait_max=20.0
            ):
                with attempt:
                    return await self._once(url)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error:
                raise Unavailable(f"The service answers {status}. Try again later.") from None
            raise refusal(
                "source-not-found", f"The service answers {status}: is this the address of a table?"
            ) from None
        except httpx.RemoteProtocolError:
            raise refusal("truncated", "The answer ends in the middle, also after several attempts.") from None
        except httpx.TransportError:
            raise Unavailable("The service cannot be reached. Check the address and the network.") from None
        except httpx.DecodingError:
            raise refusal("not-statline", "The answer cannot be unpacked.") from None
        raise AssertionError  # stamina returns or raises

    async def _once(self, url: httpx.URL) -> bytes:
        current = url
        for _ in range(self.limits.redirects + 1):
            async with self.client.stream(
                "GET", current, follow_redirects=False, timeout=self.limits.timeout_seconds
            ) as response:
                if response.has_redirect_location:
                    current = _followed(current, response.headers["Location"])
                    continue
                response.raise_for_status()
                return await self._body(response)
        raise refusal("too-many-redirects", f"More than {self.limits.redirects} redirects.")

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.bytes_left:
                raise TooLarge(_too_large(self.limits.size_bytes))
        self.bytes_left -= len(body)
        return bytes(body)

    def _wait(self, error: Exception) -> bool | float:
        """Whether to try again, and after how many seconds where the service says so (RFC 9110, section 10.2.3)."""
        if isinstance(error, httpx.HTTPStatusError):
            response = error.response
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
                return False
            seconds = _retry_after(response.headers.get("Retry-After"))
            return True if seconds is None else seconds <= self.limits.longest_wait_seconds and seconds
        return isinstance(error, (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError))


def _retry_after(value: str | None) -> float | None:
    """Seconds from now, from a number or a date; None where the header is missing or makes no sense."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _checked(source: str) -> httpx.URL:
    """The address, if it may be asked: https, or plain http on this machine."""
    try:
        url = httpx.URL(source)
    except httpx.InvalidURL:
        raise refusal("source-not-supported", "This is not a valid address.") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise refusal("source-not-supported", "A source is a file or an address that begins with https://.")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise refusal("https-required", "Plain http is for this machine only; use https.")
    return url


def _followed(base: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect or a next page leads. CBS writes http in its own links: on the same host that becomes https.

    An address on this machine is reached only from this machine: a redirect is no way to look inside.
    """
    try:
        url = base.join(location)
    except httpx.InvalidURL:
        raise refusal("source-not-supported", "The service refers to something that is no address.") from None
    if base.scheme == "https" and url.scheme == "http" and url.host == base.host and url.port is None:
        url = url.copy_with(scheme="https")
    if _is_loopback(url.host) and url.host != base.host:
        raise refusal("redirect-refused", "The service refers to an address on this machine.")
    return _checked(str(url))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _too_large(limit: int) -> str:
    return f"The table is larger than {limit // (1024 * 1024)} MB."
