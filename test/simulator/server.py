"""HTTP/1.1 on a loopback socket: a thread for each connection."""

import contextlib
import functools
import io
import os
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

import api
import control
from activity import Activity, Incoming, wait_for_data
from delivery import Broken, Delivery
from messages import Request
from recorder import parsed

TICK = 0.02     # seconds between checks whether a connection must still wait


class Server(socketserver.ThreadingTCPServer):
    """Listens; `simulator` is the state that the connections share."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, address, simulator, tls=None):
        self.simulator = simulator
        self.tls = tls
        self.activity = Activity()
        super().__init__(address, Connection)

    def process_request(self, request, client_address):
        self.activity.begin(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.activity.end(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients that disconnect or fail in TLS are not reported."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Link:
    """The sending side of a connection, for Delivery."""

    def __init__(self, sock, faults, resting):
        self._sock = sock
        self._faults = faults
        self._resting = resting     # the context of a thread that waits
        self._held = None

    @contextlib.contextmanager
    def together(self, joined):
        """Data sent within this arrives together; with `joined`, as one piece."""
        apart = isinstance(self._sock, ssl.SSLSocket) and not joined
        try:
            if apart:
                with self._records_together():
                    yield
            else:
                self._held = []
                yield
                held, self._held = self._held, None
                self.send(b"".join(held))
        finally:
            self._held = None

    @contextlib.contextmanager
    def _records_together(self):
        """Collect records of TLS from another socket in the place of this one."""
        place, records = self._sock.fileno(), []
        end, other_end = socket.socketpair()
        reader = threading.Thread(target=lambda: records.extend(
            iter(lambda: other_end.recv(65536), b"")))
        original = os.dup(place)
        os.dup2(end.fileno(), place)
        reader.start()
        try:
            yield
        finally:
            os.dup2(original, place)
            os.close(original)
            end.close()
            reader.join()
            other_end.close()
        try:
            socket.socket.sendall(self._sock, b"".join(records))
        except OSError:
            raise Broken() from None

    def send(self, data):
        if self._held is not None:
            self._held.append(data)
            return
        try:
            if data:
                self._sock.sendall(data)
        except OSError:
            raise Broken() from None

    def wait(self, seconds):
        """Wait; return early if the peer disconnects or the stalls are ended."""
        if seconds <= 0:
            return
        end = time.monotonic() + seconds
        generation = self._faults.generation
        with self._resting(lambda: self._faults.generation != generation):
            while (left := end - time.monotonic()) > 0:
                if self._faults.generation != generation:
                    return
                if self._peer_gone():
                    raise Broken()
                time.sleep(min(left, TICK))

    def _peer_gone(self):
        """Whether the peer has closed.  In TLS, close_notify is data, too."""
        if not select.select([self._sock], [], [], 0)[0]:
            return False
        try:
            seen = socket.socket.recv(self._sock, 1, socket.MSG_PEEK)
        except OSError:
            return True
        return not seen or isinstance(self._sock, ssl.SSLSocket)


class Connection(BaseHTTPRequestHandler):
    """One connection, with its requests one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0

    def setup(self):
        self.simulator = self.server.simulator
        self.activity = self.server.activity
        self.accepted = self.request
        self.number = None
        self.broken = False
        if self.server.tls:
            self._start_tls()
        super().setup()
        self.rfile = io.BufferedReader(
            Incoming(self.activity, self.accepted, self.connection))
        self.link = Link(self.connection, self.simulator.faults,
                         functools.partial(self.activity.resting, self.accepted,
                                           self.connection))

    def _start_tls(self):
        with self.activity.reading(self.accepted, self.accepted):
            wait_for_data(self.accepted)
        self.request = self.server.tls.wrap_socket(
            self.accepted, server_side=True, do_handshake_on_connect=False)
        with self.activity.reading(self.accepted, self.request):
            self.request.do_handshake()

    def finish(self):
        if self.number is not None:
            self.simulator.recorder.disconnected()
        super().finish()
        if self.server.tls:
            self._close_tls()

    def _close_tls(self):
        """Send close_notify in TLS, unless a fault has broken the connection."""
        try:
            if not self.broken:
                self.connection.settimeout(0.1)
                self.connection.unwrap()
        except (OSError, ValueError):
            pass
        self.connection.close()

    def log_message(self, format, *args):
        """Nothing is logged; the recorder has all requests."""

    def _serve(self):
        request = Request(self.command, self.path, self.headers, self._read_body)
        if request.path.startswith(control.PREFIX):
            with self.activity.control(self.accepted, self.connection):
                self.activity.settle()
                response = control.answer(self.simulator, request)
            self._send(Delivery(self.link, response, None, {"bytes": 0}))
        else:
            self._serve_api(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _serve_api(self, request):
        recorder = self.simulator.recorder
        if self.number is None:
            self.number = recorder.connected()
        endpoint = api.find_endpoint(request)
        access = api.authorized(self.simulator.settings, request)
        record = recorder.begin(request, self.number, access)
        fault = self.simulator.faults.take(request, self.simulator.configure)
        outcome = "client gone"
        try:
            if fault and fault.get("reset") == "before_read":
                raise Broken(reset=True)
            record["body"] = parsed(request.body)
            outcome = self._answer(request, endpoint, fault, record)
        except Broken as broken:
            outcome = self._leave(broken, fault)
        finally:
            recorder.end(record, outcome)

    def _answer(self, request, endpoint, fault, record):
        response = api.answer(self.simulator, request, endpoint)
        record["window"] = response.headers.get("X-RateLimit-Reset")
        if fault:
            response = fault.change(response)
        gzip = (self.simulator.settings.gzip
                and "gzip" in request.headers.get("Accept-Encoding", ""))
        self._send(Delivery(self.link, response, fault, record, gzip,
                            head_only=request.method == "HEAD"))
        if fault and fault.get("close_idle") is not None:
            self.link.wait(fault.get("close_idle") / 1000)
            self.close_connection = True
        return "complete"

    def _send(self, delivery):
        if not delivery.run():
            self.close_connection = True

    def _leave(self, broken, fault):
        """Close after an error; returns the cause."""
        self.close_connection = self.broken = True
        if broken.reset:
            self._reset()
            return "reset"
        return "cut off" if fault and fault.get("truncate") else "client gone"

    def _reset(self):
        """Close at once with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())

    def _read_body(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        return self.rfile.read(length) if length else b""

    def _read_chunks(self):
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)
