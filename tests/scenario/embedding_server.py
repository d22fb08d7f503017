# SPDX-License-Identifier: Apache-2.0
"""An embedding server of our own, which can be slow, wrong, full, cut off or away.

It speaks OpenAI's /v1/embeddings and TEI's /embed. The vector of a text is made of the text's
SHA-256, in multiples of 1/8, so that every sum of products is exact in float32.
"""
import base64
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ports import free_port


def vector_of(text, dim, salt=""):
    """What the server says of a text; salt: another model."""
    digest = b""
    while len(digest) < dim:
        digest += hashlib.sha256(f"{salt}{len(digest)}:{text}".encode()).digest()
    return [(byte - 128) / 8 or 0.125 for byte in digest[:dim]]


class EmbeddingServer:
    """Serves on 127.0.0.1 from a thread of this process. What it does may change at any time:

    max_batch   more texts are refused with batch_status (413, 422 or 400), 0: no limit
    floats      answers with arrays of numbers even when base64 is asked for
    reverse     the vectors come in the other order, with their index
    salt        it is another model
    key         wants it as Authorization: Bearer
    delay       seconds before an answer
    close_each  every connection ends with its answer
    tls         an SSLContext, from the next start() on
    faults      one for each of the next requests: a function of the handler and the right body,
                or a status, or (status, headers); None: answer as always
    always      the same for every request after those
    """

    def __init__(self, dim=8):
        self.dim = dim
        self.max_batch = 0
        self.batch_status = 413
        self.floats = self.reverse = False
        self.salt = self.key = ""
        self.delay = 0
        self.close_each = False
        self.tls = None
        self.refused_text = None
        self.faults = []
        self.always = None
        self.lock = threading.Lock()
        self.requests = []  # each: path, headers, body, texts, connection
        self.port = free_port()  # also while it is away
        self.server = None
        self.connections = set()
        self.start()

    def start(self):
        """Listen (again), on the same port."""
        owner = self

        class Handler(_Handler):
            service = owner
        self.server = _Server(("127.0.0.1", self.port), Handler)
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02},
                         daemon=True).start()

    def stop(self):
        """Be away: nothing listens, and open connections end."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.connections.clear()

    @property
    def openai(self):
        """The address for openai:D."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/v1/embeddings"

    @property
    def tei(self):
        """The address for tei:D."""
        return f"http://127.0.0.1:{self.port}/embed"

    def vector(self, text):
        return vector_of(text, self.dim, self.salt)

    def texts(self):
        """All texts that it was asked for."""
        with self.lock:
            return [text for request in self.requests for text in request["texts"]]

    def n_requests(self):
        with self.lock:
            return len(self.requests)

    def forget(self):
        with self.lock:
            self.requests.clear()

    def answer_openai(self, body, texts):
        """The right answer, as bytes."""
        base64_wanted = body.get("encoding_format") == "base64" and not self.floats
        data = []
        for index, text in enumerate(texts):
            vector = self.vector(text)
            if base64_wanted:
                vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            data.append({"object": "embedding", "embedding": vector, "index": index})
        if self.reverse:
            data.reverse()
        return json.dumps({"object": "list", "data": data, "model": body.get("model", "tiny"),
                           "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode()

    def answer_tei(self, texts):
        return json.dumps([self.vector(text) for text in texts]).encode()

    def next_fault(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else self.always


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients give up, that is what the tests are about; other faults are ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service = None

    def setup(self):
        super().setup()
        with self.service.lock:
            self.service.connections.add(self.connection)

    def finish(self):
        with self.service.lock:
            self.service.connections.discard(self.connection)
        try:
            super().finish()
        except OSError:
            pass  # the client is gone

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        if self.service.close_each:
            self.send_header("Connection", "close")
        # one write, one packet: who waits for the answer is woken once
        self._headers_buffer += [b"\r\n", body]
        self.flush_headers()

    def refuse(self, status, message, headers=()):
        self.reply(status, json.dumps({"error": message, "error_type": "Validation"}).encode(),
                   headers)

    def do_POST(self):
        service = self.service
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_tei = self.path == "/embed"
        texts = self.texts = body["inputs" if is_tei else "input"]
        with service.lock:
            service.requests.append({
                "path": self.path, "headers": dict(self.headers), "body": body, "texts": texts,
                "connection": self.client_address[1]})
        fault = service.next_fault()
        if service.delay:
            time.sleep(service.delay)
        if service.key and self.headers.get("Authorization") != f"Bearer {service.key}":
            self.refuse(401, "who are you?")
        elif self.path not in ("/embed", "/v1/embeddings"):
            self.refuse(404, "no such route")
        elif isinstance(fault, int):
            self.refuse(fault, f"fault {fault}")
        elif isinstance(fault, tuple):
            self.refuse(fault[0], f"fault {fault[0]}", fault[1])
        elif service.max_batch and len(texts) > service.max_batch:
            self.refuse(service.batch_status, f"batch size {len(texts)} > maximum allowed batch "
                                              f"size {service.max_batch}")
        elif service.refused_text is not None and service.refused_text in texts:
            self.refuse(422, "the text is too long")
        else:
            right = service.answer_tei(texts) if is_tei else service.answer_openai(body, texts)
            if fault is None:
                self.reply(200, right)
            else:
                fault(self, right)


# ---- faults ----

def cut_off(handler, body):
    """The connection ends in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def hang_up(handler, _):
    """It ends before any answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def echo(status):
    """A refusal that quotes the texts, as servers do."""
    def fault(handler, _):
        handler.refuse(status, f"cannot embed: {handler.texts}")
    return fault


def garbage(handler, _):
    handler.reply(200, b"<html>It works!</html>")


def no_http(handler, _):
    handler.wfile.write(b"\x15\x03\x01\x00\x02\x02\x46")
    handler.close_connection = True


def endless(handler, _):
    """A body much longer than any vectors."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        handler.close_connection = True


def edit(change):
    """A fault that changes the JSON of the right body."""
    def fault(handler, body):
        value = json.loads(body)
        value = change(value) or value
        handler.reply(200, json.dumps(value).encode())
    return fault


def rows_of(value):
    """Arrays of an answer of either kind, decoded; change them in place."""
    if isinstance(value, list):
        return value
    for item in value["data"]:
        if isinstance(item["embedding"], str):
            raw = base64.b64decode(item["embedding"])
            item["embedding"] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [item["embedding"] for item in value["data"]]


def _nan(value):
    rows_of(value)[0][1] = float("nan")


def _wrong_dimension(value):
    rows_of(value)[-1].append(1.0)


def _zeros(value):
    row = rows_of(value)[0]
    row[:] = [0.0] * len(row)


def _half(value):
    items = value if isinstance(value, list) else value["data"]
    del items[len(items) // 2:]


def _same_index(value):
    for item in value["data"]:
        item["index"] = 0


nan, wrong_dimension, zeros = edit(_nan), edit(_wrong_dimension), edit(_zeros)
half, same_index = edit(_half), edit(_same_index)

# The text whose vector is an encoder's fingerprint (core/encode/encoder.c)
PROBE = ("The quick brown fox doesn't jump over 13 lazy dogs. ÀÉÎÕÜ o\u0308 Straße ΣΊΣΥΦΟΣ Ёлка "
         "שָׁלוֹם हिन्दी 한국어 日本語です ภาษาไทย")
