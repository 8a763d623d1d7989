"""What `fanfold up` works out before it runs anything: options, settings for the children, files, what it says."""

import errno
import fcntl
import json
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec
from cryptography.fernet import Fernet

from config.settings import ENV_PREFIX, GatewaySettings, MetricsSettings, Settings
from workers.embedded import apache, secantus, tansu
from workers.embedded.errors import CannotStart
from workers.embedded.ports import LOOPBACK, free_port, listening_error

EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared with, not listened on
ENVIRONMENT_FILE = "up.env"


class UpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `fanfold up` was asked for."""

    port: int = 8080
    """Of the HTTP APIs; 0 takes a free one."""
    metrics_port: int = 9400
    """Of metrics and readiness; 0 takes a free one."""
    data: Path = Path("var")
    """Folder of everything that is kept."""
    ephemeral: bool = False
    """Keep nothing: everything goes to a temporary folder that is removed at the end."""
    broker: Literal["tansu", "apache"] = "tansu"
    kafka: str | None = None
    """A broker that runs already, HOST:PORT; none is started then."""
    mongo: str | None = None
    """A store that runs already, its connection string; none is started then."""


class Place(msgspec.Struct, frozen=True):
    """Where files go."""

    kept: Path
    """What outlives a run; in an ephemeral one the same as `run`."""
    run: Path
    """Removed at the end."""

    def output(self, name: str) -> Path:
        """An empty file for what a child prints."""
        file = made(self.kept / "logs") / f"{name}.log"
        file.write_bytes(b"")
        return file


Overrides = Mapping[str, Mapping[str, Any]]
"""Settings by part and field."""


def refuse_taken(host: str, port: int, option: str) -> None:
    """Raises CannotStart where we could not listen."""
    error = listening_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise CannotStart(f"Port {port} is taken by another program: choose another with {option}")
    raise CannotStart(f"Listening at {host}:{port} is not possible ({error.strerror}): choose another with {option}")


@contextmanager
def open_place(options: UpOptions) -> Iterator[Place]:
    """The folders, for this run alone. Raises CannotStart."""
    if options.ephemeral:
        with tempfile.TemporaryDirectory(prefix="fanfold-", ignore_cleanup_errors=True) as name:
            yield Place(Path(name), Path(name))
        return
    kept = options.data.absolute()
    with _locked(kept):
        run = kept / "run"
        # A run that was killed left it behind.
        shutil.rmtree(run, ignore_errors=True)
        try:
            yield Place(kept, made(run))
        finally:
            shutil.rmtree(run, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        lock = (made(folder) / ".lock").open("w")
    except OSError as error:
        raise CannotStart(f"{folder} cannot be used ({error.strerror}): choose another folder with --data") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(f"{folder} is in use by another run: choose another folder with --data") from None
        yield


def made(folder: Path) -> Path:
    """The folder, made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What signs tokens and links, and what encrypts at rest."""

    token: str
    link: str
    push: Sequence[str]
    metering: Sequence[str]


def overridden(options: UpOptions, given: Settings, keys: Keys) -> Overrides:
    """The settings that follow from the options; embedded broker and store get free ports."""
    kafka: dict[str, Any] = {"bootstrap": options.kafka or f"{LOOPBACK}:{free_port()}"}
    if options.kafka is None:
        kafka |= {"idempotent": options.broker != "tansu", "replication": 1}
        if "session_timeout_seconds" not in given.kafka.model_fields_set:
            broker = tansu if options.broker == "tansu" else apache
            kafka["session_timeout_seconds"] = broker.SESSION_SECONDS
    mongo: dict[str, Any] = {"uri": options.mongo or secantus.uri(free_port())}
    if options.mongo is None:
        mongo["parallel_writes"] = secantus.PARALLEL_WRITES
    port = options.port or free_port()
    files: dict[str, Any] = {"link_key": keys.link}
    if "public_url" not in given.files.model_fields_set:
        files["public_url"] = f"http://{LOOPBACK}:{port}"
    return {
        "kafka": kafka,
        "mongo": mongo,
        "gateway": {"port": port},
        "metrics": {"port": options.metrics_port or free_port()},
        "chat": {"token_key": keys.token},
        "push": {"secrets_keys": list(keys.push)},
        "metering": {"secrets_keys": list(keys.metering)},
        "files": files,
    }


def applied(given: Settings, overrides: Overrides) -> Settings:
    """The settings with these in place of theirs."""
    return Settings.model_validate(
        {part: {**getattr(given, part).model_dump(), **overrides.get(part, {})} for part in Settings.model_fields}
    )


def environment(overrides: Overrides) -> dict[str, str]:
    """The same as environment variables."""
    return {
        f"{ENV_PREFIX}{part}__{field}".upper(): json.dumps(value) if isinstance(value, list) else str(value)
        for part, fields in overrides.items()
        for field, value in fields.items()
    }


def token_key(given: Settings, place: Place) -> str:
    """The key that signs tokens: the one that is set, else one made at random, kept beside the data."""
    if given.chat.token_key is not None:
        return given.chat.token_key.get_secret_value()
    return _kept_key(place.kept / "token-key", lambda: secrets.token_urlsafe(48))


def link_key(given: Settings, place: Place) -> str:
    """The key that signs download links: the one that is set, else one made and kept in the same way."""
    if given.files.link_key is not None:
        return given.files.link_key.get_secret_value()
    return _kept_key(place.kept / "link-key", lambda: secrets.token_urlsafe(48))


def push_keys(given: Settings, place: Place) -> list[str]:
    """The keys that addresses and secrets are encrypted with: those set, else one made and kept in the same way."""
    if given.push.secrets_keys:
        return [key.get_secret_value() for key in given.push.secrets_keys]
    return [_kept_key(place.kept / "push-key", lambda: Fernet.generate_key().decode())]


def metering_keys(given: Settings, place: Place) -> list[str]:
    """The keys of personal data: those set, else one made and kept in the same way."""
    if given.metering.secrets_keys:
        return [key.get_secret_value() for key in given.metering.secrets_keys]
    return [_kept_key(place.kept / "metering-key", lambda: Fernet.generate_key().decode())]


def _kept_key(file: Path, make: Callable[[], str]) -> str:
    if not file.exists():
        with private(file) as out:
            out.write(make())
    return file.read_text()


@contextmanager
def environment_file(place: Place, overrides: Overrides) -> Iterator[Path]:
    """A file that tells a shell where broker and store are, and how to read what is encrypted; there while they are."""
    # The keys too: `fanfold endpoints` needs them. The file is its owner's alone.
    known = {part: overrides[part] for part in ("kafka", "mongo", "push", "metering")}
    file = place.kept / ENVIRONMENT_FILE
    file.unlink(missing_ok=True)
    with private(file) as out:
        out.writelines(f"{name}={shlex.quote(value)}\n" for name, value in environment(known).items())
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def private(file: Path) -> TextIO:
    """A new file that nobody else may read."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")


def ready_line(options: UpOptions, settings: Settings, place: Place, for_others: Path) -> str:
    """Where everything is, and what of it is kept where."""
    gateway, metrics = address(settings.gateway), f"{address(settings.metrics)}/metrics"
    return (
        f"Fanfold is ready: {gateway} (described at {gateway}/docs), metrics at {metrics}. "
        f"Events: {_broker(options, settings, place)}. Documents: {_store(options, settings, place)}. "
        f"Other commands find them after: set -a; . {shlex.quote(shown(for_others))}"
    )


def address(listening: GatewaySettings | MetricsSettings) -> str:
    """Where it can be reached from this machine."""
    host = LOOPBACK if listening.host == EVERYWHERE else listening.host
    return f"http://{host}:{listening.port}"


def _broker(options: UpOptions, settings: Settings, place: Place) -> str:
    where = settings.kafka.bootstrap
    if options.kafka is not None:
        return f"Kafka at {where}"
    if options.broker == "tansu":
        return f"Tansu at {where}, in memory: what is not folded is lost when it stops"
    return f"Apache Kafka at {where}, {_kept(options, place.kept / 'kafka')}"


def _store(options: UpOptions, settings: Settings, place: Place) -> str:
    if options.mongo is not None:
        return "MongoDB as given"  # its address may hold a password
    return f"SecantusDB at {settings.mongo.uri.get_secret_value()}, {_kept(options, place.kept / 'store')}"


def _kept(options: UpOptions, folder: Path) -> str:
    return "kept until it stops" if options.ephemeral else f"kept in {shown(folder)}"


def shown(path: Path) -> str:
    """Short, for people: seen from here where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
