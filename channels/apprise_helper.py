"""A process that sends by Apprise, so that what its plugins do is kept in bounds.

Apprise's plugins open connections of their own, read answers whole, follow what a URL's
arguments say and may read files named in them; and the URL is written by whoever
registered the endpoint. So each message is sent by a fork of this process, which

- connects only to addresses that the guard lets through, looked at in the moment of
  connecting (an audit hook, PEP 578, sees every socket of the process);
- reads no files but Python's own, starts no program and writes nothing;
- has a limit on its memory, and ends when its time is up.

Apprise is loaded once, before the forks: they begin in milliseconds. The process has
no environment, and nothing that Apprise prints or logs is kept: it may hold keys.
"""

import os
import resource
import signal
import socket
import sys
import sysconfig
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import apprise
import msgspec

from channels.addresses import Network, addresses_of, check_address
from channels.apprise_job import Job, Outcome

MEMORY_BYTES = 256 * 1024 * 1024
"""What a fork may need beyond what is loaded: an answer is read whole."""
READABLE = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "/etc/hosts",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/usr/share/zoneinfo",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
PROGRAMS = ("subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty.", "syslog.")


def serve() -> None:
    """Take jobs from standard input until it ends; outcomes go to what was standard output."""
    outcomes = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks that ended leave nothing behind
    apprise.Apprise.instantiate("json://localhost")  # loads the plugins
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        job = decoder.decode(line)
        if os.fork() == 0:
            os.dup2(nowhere, 0)
            work(job, outcomes)


def work(job: Job, outcomes: int) -> None:
    """Send, say what came of it, and end: never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job.seconds)
    limit_memory()
    outcome = Outcome(job.id, "retry", "Apprise ended")
    try:
        outcome = send(job)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is what came of it
        outcome = Outcome(job.id, "retry", f"Apprise failed: {type(error).__name__}")
    finally:
        # At once, with no exit handlers: what they would close belongs to the parent.
        os.write(outcomes, msgspec.json.encode(outcome) + b"\n")
        os._exit(0)


def limit_memory() -> None:
    """What is mapped now, and a bound on top; without `/proc` the time limit has to do."""
    mapped = Path("/proc/self/statm")
    if mapped.exists():
        pages = int(mapped.read_text().split()[0])
        bound = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def send(job: Job) -> Outcome:
    bounds = Bounds([ip_network(network) for network in job.allowed])
    sys.addaudithook(bounds.check)
    asset = apprise.AppriseAsset(storage_mode="memory", http_redirects=False, service_timeout=0)
    service = apprise.Apprise.instantiate(job.url, asset=asset)
    if service is None:
        return Outcome(job.id, "refused", bounds.refused or "Apprise cannot use this URL")
    # Not for a URL's arguments to say: redirects are not followed, and the dispatcher retries.
    service.redirects = False
    service.retry = 0
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    if sender.notify(job.body, title=job.title, notify_type=apprise.NotifyType(job.severity)):
        return Outcome(job.id, "delivered")
    if bounds.refused:
        return Outcome(job.id, "refused", bounds.refused)
    return Outcome(job.id, "retry", "Apprise could not deliver it, and does not say why")


class Bounds:
    """What this process may do, from now on."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._readable = tuple(os.path.realpath(path) for path in READABLE)
        self.refused: str | None = None
        """Why something was refused, if it was."""

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise OSError for what is out of bounds. Called by Python for every audited event."""
        try:
            if event in CONNECTS:
                self._check_connecting(arguments[1])
            elif event == "open":
                self._check_opening(*arguments)
            elif event.startswith(PROGRAMS):
                raise PermissionError("programs and services of this machine are not for a push to use")
        except OSError as error:
            self.refused = str(error)
            raise

    def _check_connecting(self, address: Any) -> None:
        if address is None:
            return  # a socket that was connected, and checked, before
        if not isinstance(address, tuple):
            raise PermissionError("sockets of this machine are not for a push to reach")
        host = str(address[0])
        for resolved in addresses_if_name(host):
            check_address(resolved, self._allowed)

    def _check_opening(self, path: Any, _mode: str | None, flags: int) -> None:
        if isinstance(path, int) or path == os.devnull:
            return
        if flags & WRITING:
            raise PermissionError("writing files is not for a push to do")
        real = os.path.realpath(os.fsdecode(path))
        if not any(real == root or real.startswith(root + os.sep) for root in self._readable):
            raise PermissionError("files of this machine are not for a push to read")


def addresses_if_name(host: str) -> list[str]:
    """The address itself, or all that a name stands for: a plugin that leaves resolving to the system."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
    except OSError:
        return [address for _, address in addresses_of(host)]
    return [host]


if __name__ == "__main__":
    serve()
