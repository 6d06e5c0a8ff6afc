"""The simulator's state: settings, company, faults, records, rate limits."""

import threading

from company import Company
from faults import Faults
from ratelimit import RateLimiter
from recorder import Recorder
from reports import Jobs
from settings import changed


class Simulator:
    """The state that all connections share."""

    def __init__(self, settings):
        self._start = settings
        self._lock = threading.Lock()
        self.settings = settings
        self.company = _company(settings)
        self.faults = Faults()
        self.recorder = Recorder()
        self.limiter = RateLimiter()
        self.jobs = Jobs()

    def configure(self, changes):
        """Change some settings; ValueError if one is invalid."""
        with self._lock:
            self._use(changed(self.settings, changes))
        if {"rate_limit", "rate_limits", "rate_window"} & set(changes):
            self.limiter.reset()

    def reset(self):
        """Restore the initial state."""
        with self._lock:
            self._use(self._start)
        self.faults.reset()
        self.recorder.reset()
        self.limiter.reset()
        self.jobs.reset()

    def _use(self, settings):
        before, self.settings = self.settings, settings
        if ((before.employees, before.today, before.overrides)
                != (settings.employees, settings.today, settings.overrides)):
            self.company = _company(settings)


def _company(settings):
    return Company(settings.employees, settings.today, settings.overrides)
