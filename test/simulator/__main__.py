"""Simulates HiBob on loopback for tests: python3 test/simulator."""

import argparse
import dataclasses
import os
import signal
import ssl
import threading
import time
from datetime import date

from server import Server
from settings import Settings
from simulator import Simulator


def main():
    options = _options()
    _exit_on_signals()
    server = Server((options.host, options.port), Simulator(_settings(options)),
                    _tls(options))
    port = server.server_address[1]
    if options.parent_pid:
        threading.Thread(target=_exit_after, args=(options.parent_pid,),
                         daemon=True).start()
    if options.ready_file:
        _write_atomically(options.ready_file, f"{port}\n")
    scheme = "https" if options.tls_cert else "http"
    print(f"listening on {scheme}://{options.host}:{port}", flush=True)
    server.serve_forever()


def _options():
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 picks one (default)")
    add("--host", default="127.0.0.1")
    add("--employees", type=int, default=defaults.employees, metavar="N")
    add("--today", type=date.fromisoformat, default=defaults.today,
        metavar="YYYY-MM-DD", help="the company's present day")
    add("--user", default=defaults.user, help="the service user's id")
    add("--token", default=defaults.token, help="the service user's token")
    add("--rate-limit", type=int, default=defaults.rate_limit, metavar="N",
        help="requests per window, endpoint and service user; 0 is no limit")
    add("--rate-window", type=float, default=defaults.rate_window,
        metavar="SECONDS")
    add("--gzip", action="store_true", help="compress where the client accepts it")
    add("--tls-cert", metavar="FILE")
    add("--tls-key", metavar="FILE")
    add("--tls-version", choices=("1.1", "1.2", "1.3"),
        help="the only version of TLS that is spoken")
    add("--ready-file", metavar="FILE", help="gets the port once listening")
    add("--parent-pid", type=int, metavar="PID", help="exit when that process has")
    options = parser.parse_args()
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return options


def _settings(options):
    names = {field.name for field in dataclasses.fields(Settings)}
    return Settings(**{name: value for name, value in vars(options).items()
                       if name in names})


def _tls(options):
    if not options.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    if options.tls_version:
        version = ssl.TLSVersion["TLSv" + options.tls_version.replace(".", "_")]
        # OpenSSL's default security level does not allow old versions.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return context


def _exit_on_signals():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _exit_after(pid):
    """Wait until a process ends, then exit."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            os._exit(0)
        except PermissionError:
            pass
        time.sleep(0.25)


def _write_atomically(path, text):
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
