"""Requests per window, per endpoint and service user."""

import math
import threading
import time

USUAL = 50      # endpoints use their own limits only if rate_limit is this


class RateLimiter:
    """Counts requests; a window starts with the first request in it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._windows = {}

    def reset(self):
        with self._lock:
            self._windows.clear()

    def take(self, settings, endpoint, user, own=0):
        """Count a request: (headers to send, whether it exceeds the limit).

        `own` is the limit of the endpoint unless the settings have another one.
        """
        usual = own if own and settings.rate_limit == USUAL else settings.rate_limit
        limit = settings.rate_limits.get(endpoint, usual)
        if limit <= 0:
            return {}, False
        now = time.time()
        with self._lock:
            end, used = self._windows.get((endpoint, user), (0, 0))
            if now >= end:
                end, used = now + settings.rate_window, 0
            used += 1
            self._windows[endpoint, user] = end, used
        headers = {"X-RateLimit-Limit": str(limit),
                   "X-RateLimit-Remaining": str(max(0, limit - used)),
                   "X-RateLimit-Reset": str(math.ceil(end))}
        return headers, used > limit
