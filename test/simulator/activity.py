"""What the threads of all connections do.

A test reads the records, or changes the faults, after its client has sent some
requests.  A thread may not have run since then.  So a control request first waits
until no connection has data that its thread has not read, and no thread still
works on a request.  A client that reads slowly and a stall do not count.
"""

import contextlib
import io
import select
import ssl
import threading
import time

LIMIT = 10      # seconds, if a thread is blocked in another way
STEP = 0.002

_BUSY, _READING, _RESTING, _CONTROL = range(4)


class Activity:
    """The state of each connection."""

    def __init__(self):
        self._lock = threading.Lock()
        self._connections = {}      # by the socket that was accepted

    def begin(self, accepted):
        """A new connection, whose thread has not started yet."""
        self._set(accepted, accepted, _BUSY)

    def end(self, accepted):
        with self._lock:
            self._connections.pop(accepted, None)

    def busy(self, accepted, sock):
        self._set(accepted, sock, _BUSY)

    def reading(self, accepted, sock):
        """The thread continues as soon as there is data, or the peer closes."""
        return self._during(accepted, sock, _READING)

    def resting(self, accepted, sock, is_over):
        """The thread waits until the peer closes, or is_over() becomes true."""
        return self._during(accepted, sock, _RESTING, is_over)

    def control(self, accepted, sock):
        """The thread serves a control request, for which no other one waits."""
        return self._during(accepted, sock, _CONTROL)

    def settle(self):
        """Wait until no connection has anything left to do."""
        end = time.monotonic() + LIMIT
        while self._is_active() and time.monotonic() < end:
            time.sleep(STEP)

    @contextlib.contextmanager
    def _during(self, accepted, sock, state, is_over=lambda: False):
        self._set(accepted, sock, state, is_over)
        try:
            yield
        finally:
            self._set(accepted, sock, _BUSY)

    def _set(self, accepted, sock, state, is_over=lambda: False):
        with self._lock:
            self._connections[accepted] = sock, state, is_over

    def _is_active(self):
        with self._lock:
            return any(map(_continues, self._connections.values()))


def _continues(connection):
    """Whether a thread will go on without anything else happening."""
    sock, state, is_over = connection
    if state == _CONTROL:
        return False
    if state == _BUSY:      # unless it sends to a peer that does not read
        return _is_ready(sock, select.POLLOUT)
    return is_over() or _is_ready(sock, select.POLLIN)


def _is_ready(sock, event, milliseconds=0):
    """Whether a socket can be read or written, or is broken."""
    poll = select.poll()
    try:
        poll.register(sock, event)
    except ValueError:      # its own thread has closed it
        return True
    return bool(poll.poll(milliseconds))


def wait_for_data(sock):
    """Wait until a read does not block.  TLS may have decrypted data before."""
    if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
        _is_ready(sock, select.POLLIN, None)


class Incoming(io.RawIOBase):
    """The receiving side of a connection; waiting is not work."""

    def __init__(self, activity, accepted, sock):
        super().__init__()
        self._activity = activity
        self._accepted = accepted
        self._sock = sock

    def readable(self):
        return True

    def readinto(self, buffer):
        with self._activity.reading(self._accepted, self._sock):
            wait_for_data(self._sock)
        return self._sock.recv_into(buffer)
