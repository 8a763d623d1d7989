"""What can be set: environment first (`FANFOLD_*`, nested with `__`), then `fanfold.toml`, then these defaults.

Read once, in `workers/`. Unknown keys are refused: a misspelt setting that is
silently ignored costs more than a start that fails.
"""

import os
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    ModelWrapValidatorHandler,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.im.callback_rules import Action, codes_of, compile_rule
from schemas.im.callbacks import BEFORE_SEND, CALLED_BACK, DECIDED
from schemas.mail_address import parse_sender
from schemas.mt.access import Principal, Role

ENV_PREFIX = "FANFOLD_"
FILE = "fanfold.toml"


def checked_fernet_keys(keys: list[SecretStr]) -> list[SecretStr]:
    """The keys. Raises ValueError where one is none."""
    for key in keys:
        try:
            size = len(urlsafe_b64decode(key.get_secret_value()))
        except ValueError:
            size = 0
        if size != 32:
            raise ValueError("a Fernet key is 32 random bytes in URL-safe base64")
    return keys


def checked_webhook_secrets(secrets: list[SecretStr]) -> list[SecretStr]:
    """Raises ValueError, without any of them, where one is no secret of Standard Webhooks."""
    for number, secret in enumerate(secrets, start=1):
        kind, _, encoded = secret.get_secret_value().partition("_")
        try:
            size = len(b64decode(encoded, validate=True))
        except ValueError:
            size = 0
        if kind != "whsec" or not 24 <= size <= 64:
            raise ValueError(f"secret {number}: whsec_ and 24 to 64 bytes in base64 are expected")
    return secrets


class Part(BaseModel):
    """One part's settings; each field's docstring says when to turn it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KafkaSettings(Part):
    bootstrap: str = "127.0.0.1:9092"
    """Addresses of brokers, HOST:PORT, comma separated."""
    prefix: str = ""
    """Put before every topic and group name: several installations on one cluster."""
    replication: int = Field(default=1, ge=1)
    """Copies of each partition when `topics sync` creates a topic; 3 on a cluster."""
    idempotent: bool = True
    """Idempotent producer. Off only for a broker that lacks it (Tansu)."""
    publish_timeout_seconds: float = Field(default=4.0, gt=0)
    """How long a publish may wait for the acknowledgement before the caller is told 503."""
    session_timeout_seconds: float = Field(default=10.0, gt=0)
    """How long a silent worker keeps its partitions. Shorter takes over sooner after a crash."""
    instance_id: str | None = None
    """Static membership: a stable name per worker process, so that a restart does not rebalance."""


class MongoSettings(Part):
    uri: SecretStr = SecretStr("mongodb://127.0.0.1:27017/")
    """Connection string; the password in it is why it is kept as a secret."""
    database: str = "fanfold"
    """Database that holds all documents."""
    timeout_seconds: float = Field(default=5.0, gt=0)
    """How long an operation looks for a server before it counts as away."""
    parallel_writes: int = Field(default=8, ge=1)
    """Bulk writes a worker has under way at once: more for a store with many cores, 2 for the embedded one."""


class GatewaySettings(Part):
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 inside a container."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port of the HTTP APIs."""
    body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest request body; a larger one is answered 413."""
    body_timeout_seconds: float = Field(default=10.0, gt=0)
    """How long a client may take to send its headers or its body; a slower one is cut off."""
    drain_seconds: float = Field(default=10.0, gt=0)
    """How long a stop waits for requests in flight."""
    remembered_requests: int = Field(default=100_000, ge=0)
    """Recent request ids kept in memory, so that a resent request is answered without publishing again."""


class MetricsSettings(Part):
    host: str = "127.0.0.1"
    """Address for /metrics, /healthz and /readyz of this process."""
    port: int = Field(default=9400, ge=0, le=65535)
    """Port for them; 0 takes a free one."""


class ChatSettings(Part):
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """secretId to key, for signed calls."""
    access_tokens: list[SecretStr] = Field(default_factory=list)
    """Tokens accepted from everyone else."""
    timezone: str = "Asia/Shanghai"
    """Zone of the API's times (yyyy-MM-dd HH:mm:ss), which carry none."""
    clock_tolerance_seconds: int = Field(default=300, gt=0)
    """How far a signed call's timestamp may lie from our clock, either way."""
    qr_url: str = "https://login.invalid/qr?user={user_id}&request={request_id}"
    """What a login QR code says; {user_id} and {request_id} are filled in."""
    socket_url: str = "ws://127.0.0.1:8080/socket"
    """Address that getSocketUrl hands out."""
    token_key: SecretStr | None = None
    """Key that signs chat and socket tokens (HS256, at least 32 characters); without it those two calls refuse."""
    token_seconds: int = Field(default=7200, gt=0)
    """How long such a token is good for."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone named {name!r}") from error
        return name

    @field_validator("token_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 32:
            raise ValueError("a token key has at least 32 characters")
        return key


class EventsSettings(Part):
    tokens: list[SecretStr] = Field(default_factory=list)
    """Bearer tokens that may publish CloudEvents at /events."""


class OperatorsSettings(Part):
    tokens: list[SecretStr] = Field(default_factory=list)
    """Bearer tokens that may see, replay and discard dead letters at /dead-letters."""


class PushSettings(Part):
    tokens: list[SecretStr] = Field(default_factory=list)
    """Bearer tokens of back ends that manage endpoints, preferences, deliveries and inboxes."""
    secrets_keys: list[SecretStr] = Field(default_factory=list)
    """Fernet keys for addresses and secrets at rest, newest first; the older ones still decrypt."""
    allow_networks: list[IPvAnyNetwork] = Field(default_factory=list)
    """Networks that pushes may go to although they are private, loopback or link-local."""
    templates: Path | None = None
    """Folder of templates that come before those shipped, KIND.LANGUAGE.toml each."""
    timeout_seconds: float = Field(default=15.0, gt=0)
    """How long one attempt may take, from connecting to the answer's end."""

    @field_validator("secrets_keys")
    @classmethod
    def _fernet_keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        return checked_fernet_keys(keys)


class TelegramSettings(Part):
    bot_token: SecretStr | None = None
    """Token of the bot; without it nothing goes out by Telegram and nobody can bind."""
    bot_name: str | None = None
    """The bot's user name, for the links that bind."""
    webhook_secret: SecretStr | None = None
    """What Telegram sends as X-Telegram-Bot-Api-Secret-Token to /callbacks/telegram."""
    api_url: str = "https://api.telegram.org"
    """Bot API server."""
    messages_per_second: float = Field(default=25.0, gt=0)
    """What the bot may send in all; Telegram takes about 30."""


class SmtpSettings(Part):
    host: str | None = None
    """Mail server; without it nothing goes out by e-mail."""
    port: int = Field(default=587, ge=1, le=65535)
    """Its port."""
    username: str | None = None
    """Account at it, if it asks for one."""
    password: SecretStr | None = None
    """Its password."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected; `none` only on a network of your own."""
    ca_file: Path | None = None
    """Certificates to trust besides the system's (PEM), for a mail server with one of your own."""
    sender: str = "fanfold@localhost"
    """Address that mails come from, `Name <address>` or the address alone."""

    @field_validator("sender")
    @classmethod
    def _address(cls, sender: str) -> str:
        parse_sender(sender)
        return sender


class SmsSettings(Part):
    url: SecretStr | None = None
    """The SMS gateway that texts are posted to; without it none go out. May hold a key in its query."""
    secret: SecretStr | None = None
    """What the posts are signed with (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64."""

    @model_validator(mode="after")
    def _can_sign(self) -> Self:
        if self.url is None:
            return self
        if not self.url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("url: an http or https URL is expected")
        encoded = "" if self.secret is None else self.secret.get_secret_value()
        try:
            size = len(b64decode(encoded.removeprefix("whsec_"), validate=True))
        except ValueError:
            size = 0
        if not (encoded.startswith("whsec_") and 24 <= size <= 64):
            raise ValueError("secret: whsec_ and 24 to 64 bytes in base64 are expected where url is set")
        return self


class TgCustomer(Part):
    customer: str = Field(min_length=1, max_length=256)
    """Whom the token stands for."""
    company: str = Field(min_length=1, max_length=256)
    """The company it belongs to."""


class TgBindingSettings(Part):
    tokens: dict[SecretStr, TgCustomer] = Field(default_factory=dict)
    """Bearer token to customer and company: {"TOKEN": {"customer": "77", "company": "5"}}."""
    link_seconds: int = Field(default=900, gt=0)
    """How long a binding link is good for."""

    @field_serializer("tokens", when_used="json")
    def _without_tokens(self, tokens: dict[SecretStr, TgCustomer]) -> list[TgCustomer]:
        """Who has one: as keys, tokens would be shown, or all be the same asterisks."""
        return list(tokens.values())


class ContactBindingSettings(Part):
    agents: dict[Annotated[str, Field(pattern="^[^:\0]{1,256}$")], SecretStr] = Field(default_factory=dict)
    """Account to argon2 hash of its password (`fanfold hash-password`)."""

    @field_validator("agents")
    @classmethod
    def _hashed(cls, agents: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for account, hashed in agents.items():
            try:
                extract_parameters(hashed.get_secret_value())
            except InvalidHashError:
                raise ValueError(f"{account}: no argon2 hash, as `fanfold hash-password` makes it") from None
        return agents


def _known(commands: list[str], known: frozenset[str], are: str) -> list[str]:
    """A misspelt one would be taken for one that never comes."""
    if unknown := [command for command in commands if command not in known]:
        raise ValueError(f"no such command here: {', '.join(unknown)[:200]}; {are} {', '.join(sorted(known))}")
    return commands


class ImCallbackRule(Part):
    """Fits a callback if a word or pattern is in its texts and it is one of the accounts'; left out, any fits."""

    action: Action
    commands: list[str] = Field(default_factory=lambda: [BEFORE_SEND], min_length=1)
    """Before-callbacks; others wait for no decision."""
    words: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list, max_length=10_000)
    """Upper and lower case alike."""
    patterns: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(default_factory=list, max_length=100)
    """Regular expressions of RE2, which has no look-around and no back references."""
    accounts: list[str] = Field(default_factory=list)
    """Who sends, asks or creates."""
    code: int | None = None
    """To deny with: 120001..130000 for messages, 10100..10200 for groups, 38000..39000 for friends."""
    info: Annotated[str, Field(max_length=500)] = ""
    """Told to the sender with a code."""
    replacement: str = "***"
    """In place of each word and of what fits a pattern."""

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> Self:
        compile_rule(self.words, self.patterns)
        if self.action == "replace" and not (self.words or self.patterns):
            raise ValueError("replace needs words or patterns")
        if self.code is not None and self.action != "deny":
            raise ValueError("code is for deny")
        _known(self.commands, DECIDED, "rules decide about")
        for command in self.commands:
            if self.code is not None and self.code not in codes_of(command):
                codes = codes_of(command)
                raise ValueError(f"code for {command}: {codes.start} to {codes.stop - 1}")
            if self.action in ("drop", "replace") and not command.endswith("SendMsg"):
                raise ValueError(f"{command}: only messages can be dropped or replaced")
        return self


class ImCallbacksIn(Part):
    """What is set must hold; where neither token nor addresses are set, no callback is taken."""

    token: SecretStr | None = None
    """Signs RequestTime, as Sign in the query says; or stands as Token in the query itself."""
    allow_networks: list[IPvAnyNetwork] = Field(default_factory=list)
    """Addresses that callbacks come from, of the connection itself: behind a proxy use the token."""
    rules: list[ImCallbackRule] = Field(default_factory=list)
    """The first that fits and does not replace decides; where none does, it is allowed."""


class ImCallbacksOut(Part):
    url: SecretStr
    """Where callbacks go; may hold a key in its query."""
    commands: list[str] = Field(min_length=1)
    """Those that are wanted: C2C.CallbackBeforeSendMsg, ..."""
    token: SecretStr | None = None
    """Signs RequestTime: Sign and RequestTime are in the query."""
    when_unreachable: Literal["allow", "deny"] = "allow"
    """What becomes of a message if the app does not say within 2 s."""

    @field_validator("commands")
    @classmethod
    def _are_made(cls, commands: list[str]) -> list[str]:
        return _known(commands, CALLED_BACK, "callbacks out are")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr) -> SecretStr:
        try:
            TypeAdapter(HttpUrl).validate_python(url.get_secret_value())
        except ValidationError:
            # Without what pydantic says: it quotes the URL.
            raise ValueError("an http or https URL with a host is expected") from None
        return url


class ImApp(Part):
    key: SecretStr
    """Key that its UserSigs are signed with."""
    admins: list[Annotated[str, Field(pattern="^[ -~]{1,32}$")]] = Field(min_length=1)
    """Accounts that may call the API."""
    name: str = ""
    """What getappinfo says it is called."""
    company: str = ""
    """Whose getappinfo says it is."""
    profile_custom: list[Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,8}$")]] = Field(default_factory=list)
    """Profile fields of its own: KEY for each Tag_Profile_Custom_KEY."""
    sns_custom: list[Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,8}$")]] = Field(default_factory=list)
    """Fields of friends of its own: KEY for each Tag_SNS_Custom_KEY."""
    pushes_per_day: int = Field(default=100, ge=0)
    """Calls of im_push that it may make in a day, which begins in UTC+8; 0: it may not push to all or many."""
    seconds_between_pushes: float = Field(default=1, ge=0)
    """How soon after a call of im_push the next may come."""
    callbacks_in: ImCallbacksIn = ImCallbacksIn()
    """Who may send callbacks to /callbacks/im, and how before-callbacks are answered."""
    callbacks_out: ImCallbacksOut | None = None
    """Where Fanfold sends the app's callbacks, as the IM server does."""


class ImSettings(Part):
    apps: dict[Annotated[str, Field(pattern="^[1-9][0-9]{0,15}$")], ImApp] = Field(default_factory=dict)
    """SDKAppID to app: {"1400000001": {"key": "...", "admins": ["administrator"]}}."""
    calls_per_second: int = Field(default=200, ge=0)
    """Calls of one app and command that a gateway takes in a second; 0 is no limit."""
    roaming_days: int = Field(default=7, ge=1, le=36_500)
    """How far back admin_getroammsg shows messages, by their time; they are kept for longer."""
    hourly_history: bool = True
    """Whether get_history's files are made each hour; if not, the first call for an hour has them made."""
    server_addresses: list[IPvAnyNetwork] = Field(default_factory=list)
    """What GetIPList answers: the addresses that clients reach and that callbacks come from."""


class MtPrincipal(Part):
    role: Role
    """customer (of the client console), operator (of the operators' platform) or salesman."""
    user_id: int = Field(ge=0, lt=2**63)
    """Whom changes are put down to."""
    name: str = Field(default="", max_length=256)
    merchant_id: int | None = Field(default=None, ge=0, lt=2**63)
    """The customer, for the role customer."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _ = self.principal
        return self

    @property
    def principal(self) -> Principal:
        return Principal(role=self.role, user_id=self.user_id, name=self.name, merchant_id=self.merchant_id)


class OtherEnvironmentSettings(Part):
    url: str
    """Where the gateway of the other environment is reached, without a path."""
    token: SecretStr
    """Bearer token of an operator there."""
    secret: SecretStr
    """`whsec_` and 24 to 64 bytes in base64: signs what goes between the two, the same in both."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        TypeAdapter(HttpUrl).validate_python(url)
        return url.rstrip("/")

    @field_validator("secret")
    @classmethod
    def _is_symmetric(cls, secret: SecretStr) -> SecretStr:
        prefix, _, encoded = secret.get_secret_value().partition("_")
        try:
            size = len(b64decode(encoded, validate=True))
        except ValueError:
            size = 0
        if prefix != "whsec" or not 24 <= size <= 64:
            raise ValueError("a secret is whsec_ and 24 to 64 bytes in base64")
        return secret


class MeteringSettings(Part):
    tokens: dict[SecretStr, MtPrincipal] = Field(default_factory=dict)
    """Bearer token of a service to whom it stands for: {"TOKEN": {"role": "operator", "user_id": 1}}."""
    zone: str = "Asia/Shanghai"
    """Time zone of days, months and of the times that the API writes."""
    secrets_keys: list[SecretStr] = Field(default_factory=list)
    """Fernet keys for personal data and secrets at rest, newest first; the older ones still decrypt."""
    unpaged_rows: int = Field(default=100_000, ge=1)
    """How many rows a list may answer that is asked for without pages."""
    statements_after_hours: int = Field(default=2, ge=0, le=240)
    """How long after the end of a month its statements are made: so long what is late may take to arrive. What comes
    in after that corrects statements, until they are confirmed."""
    other_environment: OtherEnvironmentSettings | None = None
    """Where changes of products and sources are made too when an operator asks for it."""
    payments_secrets: list[SecretStr] = Field(default_factory=list)
    """`whsec_` and 24 to 64 bytes in base64: signs what the payment system says at /callbacks/payments. Several while
    one takes another's place."""
    pay_url: str | None = None
    """Where a recharge is paid, with `{payNo}`, `{amount}` and `{payMethod}` in it; else no address is answered."""
    pay_minutes: int = Field(default=120, ge=1)
    """How long a recharge order waits for its payment."""

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is no time zone of the IANA database") from None
        return zone

    @field_validator("secrets_keys")
    @classmethod
    def _fernet_keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        return checked_fernet_keys(keys)

    @field_validator("payments_secrets")
    @classmethod
    def _can_sign(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        return checked_webhook_secrets(secrets)

    @field_serializer("tokens", when_used="json")
    def _without_tokens(self, tokens: dict[SecretStr, MtPrincipal]) -> list[MtPrincipal]:
        """Who has one: as keys, tokens would be shown, or all be the same asterisks."""
        return list(tokens.values())


class DispatcherSettings(Part):
    batch_records: int = Field(default=500, ge=1)
    """Deliveries of one partition taken at once."""
    in_flight: int = Field(default=1_000, ge=1)
    """Attempts under way at once in one process."""
    lane_waiting: int = Field(default=20, ge=1)
    """Deliveries of one lane held in memory behind those under way; more are parked in the store."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often what has fallen due is looked for."""
    retry_seconds: list[float] = Field(default_factory=lambda: [5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0])
    """Waits between attempts, each varied by a tenth; after the last one it is given up (Standard Webhooks)."""
    disable_after_days: float = Field(default=5.0, gt=0)
    """An endpoint that has failed for so long is disabled, and its owner told."""
    breaker_failures: int = Field(default=5, ge=1)
    """So many failures in a row hold back a lane."""
    breaker_seconds: float = Field(default=30.0, gt=0)
    """How long, before one attempt is let through to see."""
    drain_seconds: float = Field(default=20.0, gt=0)
    """How long a stop or a rebalance waits for attempts under way: more than push.timeout_seconds."""


class FolderSettings(Part):
    batch_records: int = Field(default=5_000, ge=1)
    """Records of one partition taken at once. More merge better; fewer make a repeat shorter."""
    fetch_bytes: int = Field(default=2 * 1024 * 1024, ge=1024)
    """Most that is fetched ahead of one partition: the bound on memory, times the partitions held."""
    stuck_after_seconds: float = Field(default=60.0, gt=0)
    """A partition with lag whose position has not moved for so long, without an error, restarts the consumer."""
    drain_seconds: float = Field(default=10.0, gt=0)
    """How long a stop or a rebalance waits for the batch in hand."""
    poison_run: int = Field(default=50, ge=1)
    """So many poison events in a row stop the partition."""
    poison_window: int = Field(default=500, ge=1)
    """Events over which the share is taken."""
    poison_share: float = Field(default=0.5, gt=0, le=1)
    """This share of poison in a full window stops the partition."""


class ClockSettings(Part):
    tick_seconds: float = Field(default=1.0, gt=0)
    """How often what has fallen due is looked for."""
    lease_seconds: float = Field(default=15.0, gt=0)
    """How long a silent leader keeps the lease."""

    @model_validator(mode="after")
    def _lease_outlives_tick(self) -> Self:
        if self.lease_seconds < 3 * self.tick_seconds:
            raise ValueError("lease_seconds must be at least 3 ticks, or a slow tick loses the lease")
        return self


class SentinelSettings(Part):
    tick_seconds: float = Field(default=1.0, gt=0)
    """How often changed rules are taken notice of, and episodes closed by the time alone."""
    grace_seconds: int = Field(default=30, ge=0)
    """How far behind the clock episodes are closed: more than failures take to arrive, or one is told in two."""
    late_seconds: int = Field(default=3_600, ge=0)
    """How late a failure may be heard of and still count; so much longer than its period it is kept."""


class TasksSettings(Part):
    endpoint: SecretStr | None = None
    """Where products are called by single tests and batch tasks; without an address there are none."""
    endpoints: dict[str, SecretStr] = Field(default_factory=dict)
    """Product code to its own address: {"idcheck": "https://api.example.com/idcheck"}."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """How long a product may take to answer."""
    calls_per_second: float = Field(default=5.0, gt=0)
    """Calls that one batch task makes in a second."""
    sample_rows: int = Field(default=10_000, ge=1)
    """Rows that a sample file may have; its size is limited by gateway.body_bytes."""
    attempts: int = Field(default=5, ge=1)
    """So often a row is called that gets no answer; then it stands in the result without one."""
    result_days: int = Field(default=7, ge=1)
    """How long a result is kept."""

    @field_validator("endpoint", "endpoints")
    @classmethod
    def _are_http(cls, addresses: SecretStr | dict[str, SecretStr] | None) -> SecretStr | dict[str, SecretStr] | None:
        named = addresses.values() if isinstance(addresses, dict) else [] if addresses is None else [addresses]
        for address in named:
            if not address.get_secret_value().startswith(("http://", "https://")):
                raise ValueError("an http or https URL is expected")
        return addresses


class JobsSettings(Part):
    at_once: int = Field(default=4, ge=1)
    """Steps of jobs that one process does at once."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often a process that has nothing to do looks for a job."""
    lease_seconds: float = Field(default=30.0, ge=1)
    """How long a silent worker keeps a job: so much later another goes on with it."""
    failures: int = Field(default=5, ge=1)
    """So many failures of one step in a row, and its job has failed."""
    drain_seconds: float = Field(default=20.0, gt=0)
    """How long a stop waits for the steps under way."""


class FilesSettings(Part):
    link_key: SecretStr | None = None
    """Key that signs download links (at least 32 characters); without it no file can be handed out."""
    link_seconds: int = Field(default=3600, gt=0)
    """How long a link is good for."""
    public_url: str = "http://127.0.0.1:8080"
    """Where callers reach the gateway: what links begin with."""

    @field_validator("link_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 32:
            raise ValueError("a link key has at least 32 characters")
        return key

    @field_validator("public_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        TypeAdapter(HttpUrl).validate_python(url)
        return url.rstrip("/")


class LogSettings(Part):
    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """Least severe line written."""
    json_lines: bool | None = None
    """JSON lines; left out: on a terminal readable, otherwise JSON."""


class Environment(EnvSettingsSource):
    """The environment; a value that should be JSON and is not fails with its own name, together with the rest."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        # A variable that a composed service hands on empty is one that is not set.
        env_ignore_empty=True,
        toml_file=FILE,
        extra="forbid",
        frozen=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    mongo: MongoSettings = MongoSettings()
    gateway: GatewaySettings = GatewaySettings()
    metrics: MetricsSettings = MetricsSettings()
    chat: ChatSettings = ChatSettings()
    events: EventsSettings = EventsSettings()
    operators: OperatorsSettings = OperatorsSettings()
    push: PushSettings = PushSettings()
    telegram: TelegramSettings = TelegramSettings()
    smtp: SmtpSettings = SmtpSettings()
    sms: SmsSettings = SmsSettings()
    tg_binding: TgBindingSettings = TgBindingSettings()
    contact_binding: ContactBindingSettings = ContactBindingSettings()
    im: ImSettings = ImSettings()
    metering: MeteringSettings = MeteringSettings()
    dispatcher: DispatcherSettings = DispatcherSettings()
    folder: FolderSettings = FolderSettings()
    clock: ClockSettings = ClockSettings()
    sentinel: SentinelSettings = SentinelSettings()
    tasks: TasksSettings = TasksSettings()
    jobs: JobsSettings = JobsSettings()
    files: FilesSettings = FilesSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Environment(settings_cls), TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        mistakes = [
            InitErrorDetails(type=PydanticCustomError("unknown_variable", "no such setting"), loc=(name,), input=None)
            for name in unknown_variables()
        ]
        try:
            settings = validate(values)
        except ValidationError as error:
            mistakes += [_again(details) for details in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, mistakes) from None
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return settings


def _again(details: ErrorDetails) -> InitErrorDetails:
    """A mistake that was found, to be raised once more beside others."""
    again = InitErrorDetails(type=details["type"], loc=details["loc"], input=details["input"])
    if "ctx" in details:
        again["ctx"] = details["ctx"]
    return again


def unknown_variables() -> list[str]:
    """Names in our part of the environment that set nothing.

    pydantic-settings looks only for the names it knows, so a misspelt part would go unseen.
    """
    parts = {name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith(ENV_PREFIX) and name.removeprefix(ENV_PREFIX).partition("__")[0] not in parts
    )


def load() -> Settings:
    """The effective settings. Raises pydantic.ValidationError that lists every mistake."""
    return Settings()


def settings_file() -> Path | None:
    """The settings file in use, if there is one."""
    path = Path(FILE)
    return path if path.exists() else None
