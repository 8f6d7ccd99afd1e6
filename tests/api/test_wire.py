"""The server's own part of HTTP, on real sockets: one write for an answer, and refusals of what cannot be read."""

from __future__ import annotations

import asyncio
import socket
import threading

import orjson
import pytest
import uvicorn

from app.api.wire import MOST_HEAD_BYTES, OneWrite, Protocol

GET = b"GET /%s HTTP/1.1\r\nhost: test\r\n\r\n"


async def app(scope, receive, send):
    """Answers by path: with a length, as a stream that waits for a second request's event, 304, or not at all."""
    path = scope["path"]
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await receive()  # the empty body of the request
        await receive()  # until the client is gone
        return
    headers = [(b"etag", b'"tag"')] if path == "/known" else [(b"content-length", b"2"), (b"x-path", path.encode())]
    await send({"type": "http.response.start", "status": 304 if path == "/known" else 200, "headers": headers})
    if path == "/broken":
        raise RuntimeError
    await send({"type": "http.response.body", "body": b"" if path == "/known" else b"ok"})


@pytest.fixture(scope="module")
def port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="off", log_level="critical", server_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listening]),))
        thread.start()
        yield listening.getsockname()[1]
        server.force_exit = server.should_exit = True
        thread.join()


def read_until(connection, end):
    """What comes until this is seen, or the server hangs up."""
    read = b""
    while end not in read:
        piece = connection.recv(65_536)
        if not piece:
            break
        read += piece
    return read


@pytest.fixture
def connection(port):
    with socket.create_connection(("127.0.0.1", port), 30) as made:
        yield made


def problem_of(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    content = orjson.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % content["status"])
    return content["status"], content["code"]


def test_answers_follow_each_other_on_one_connection(connection):
    for name in (b"a", b"b"):
        connection.sendall(GET % name)
        assert read_until(connection, b"\r\n\r\nok").count(b"x-path: /" + name) == 1
    connection.sendall(GET % b"c" + GET % b"d")
    both = read_until(connection, b"x-path: /d\r\n\r\nok")
    assert both.index(b"/c\r\n\r\nok") < both.index(b"/d\r\n\r\nok")


@pytest.mark.parametrize("request_", [b"HEAD /a HTTP/1.1\r\nhost: test\r\n\r\n", GET % b"known"])
def test_an_answer_without_a_body_is_not_kept_waiting_for_one(connection, request_):
    connection.sendall(request_)
    assert read_until(connection, b"\r\n\r\n").endswith(b"\r\n\r\n")
    connection.sendall(GET % b"a")
    assert read_until(connection, b"\r\n\r\nok").startswith(b"HTTP/1.1 200 OK")


def test_the_head_of_a_stream_comes_before_its_first_word(connection):
    connection.sendall(GET % b"stream")
    assert b"transfer-encoding: chunked" in read_until(connection, b"\r\n\r\n")


def test_what_was_begun_and_broke_off_still_comes_out(connection):
    connection.sendall(GET % b"broken")
    assert read_until(connection, b"never").startswith(b"HTTP/1.1 200 OK")


def test_what_is_not_http_is_refused(connection):
    connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    assert problem_of(read_until(connection, b"never")) == (400, "invalid-request")


def test_an_address_that_is_too_long_is_refused(connection):
    connection.sendall(GET % (b"a" * 70_000))
    assert problem_of(read_until(connection, b"never")) == (414, "query-too-long")


def test_headers_without_end_are_refused(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nhost: test\r\n")
    line = b"x-more: " + b"a" * 1_000 + b"\r\n"
    for _ in range(MOST_HEAD_BYTES // len(line) + 1):  # not a byte more: what is not read resets the connection
        connection.sendall(line)
    assert problem_of(read_until(connection, b"never")) == (431, "headers-too-large")


class Written:
    """A transport that remembers each write."""

    def __init__(self):
        self.pieces = []
        self.closed = False

    def write(self, data):
        self.pieces.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


@pytest.mark.parametrize(
    ("writes", "pieces"),
    [
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok"], 1),
        ([b"HTTP/1.1 304 Not Modified\r\n\r\n", b""], 1),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"0\r\n\r\n"], 3),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok"], 2),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"ok", b"ok"], 2),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"], 1),
    ],
)
def test_head_and_body_are_one_write_where_the_length_is_known(writes, pieces):
    written = Written()
    transport = OneWrite(written)
    for data in writes:
        transport.write(data)
    transport.close()
    assert (b"".join(written.pieces), len(written.pieces), written.closed) == (b"".join(writes), pieces, True)
