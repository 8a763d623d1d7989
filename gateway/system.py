"""What a system is to the gateway: routes, bodies, authentication, envelope. No I/O here.

A system declares; `gateway.pipeline` does the rest in one order for all of them:
limit, decode, authenticate, validate, recognise repeats, handle, publish, answer.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from schemas.errors import Refused
from schemas.events import Event


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer, ready to send."""

    status: int
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None
    """Sent in place of the body, as it comes; its length is in the headers."""


class Call(msgspec.Struct):
    """One request, decoded. `raw` is the JSON body as sent ({} where none was); `body` the typed one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_bytes: bytes
    received_at: datetime
    trace_id: str
    traceparent: str
    remote: str = ""
    """Address of the connection."""
    raw: Any = None
    body: Any = None
    admitted: Any = None
    """What the operation's `admit` made of the caller."""


class Reply(msgspec.Struct, frozen=True):
    """What a handler decided: the data to answer, after the facts (if any) are published."""

    data: Any = None
    facts: tuple[Event, ...] = ()
    parts: AsyncIterable[Sequence[Event]] | None = None
    """More facts than are to be held at once: each part is published before the next is made, all before `facts`."""
    published: Callable[[], Awaitable[object]] | None = None
    """Puts down that the facts are published, before the answer; raises StoreAway where it cannot. Without it the
    caller is told to send the call again, so a handler that finds it missing repeats the same facts."""
    refused: Refused | None = None
    """Answered in place of the data: a refusal that the facts tell somebody else of."""
    publish_seconds: float | None = None
    """Where the answer matters more than the facts: after so long, or where Kafka is away, it is given without them."""


class Operation(msgspec.Struct, frozen=True):
    """One route. `body` None: the request body is not read as JSON by the pipeline."""

    operation_id: str
    method: str
    path: str
    handle: Callable[[Call], Awaitable[Reply]]
    authenticate: Callable[[Call], None]
    body: type[msgspec.Struct] | None = None
    request_id: Callable[[Call], str | None] | None = None
    """The idempotency key of a call that publishes: the same key again is answered as before."""
    admit: Callable[[Call], Awaitable[Any]] | None = None
    """A second look at the caller, where that takes I/O; what it returns is the call's `admitted`."""
    success_status: int = 200
    nul_in_text: bool = False
    """Texts in its JSON body may hold a NUL, where the body's own types do not forbid it; else it is refused."""
    envelope: "Envelope | None" = None
    """Where its answers have another shape than the rest of its system's."""
    security: tuple[str, ...] = ()
    """Names in the system's `security_schemes`, any one of which suffices; for the API document."""


class Envelope(Protocol):
    """The shape of a system's answers."""

    def succeed(self, data: Any, status: int, /) -> Answer: ...

    def refuse(self, refused: Refused, /) -> Answer: ...


class System(msgspec.Struct, frozen=True):
    """A system's operations and its envelope.

    `refuse` answers every refusal, those of the pipeline included (`too_large`,
    `bad_json`, `broker_away`, ...): one function, so an error always comes in the
    caller's own shape.
    """

    name: str
    operations: tuple[Operation, ...]
    succeed: Callable[[Any, int], Answer]
    refuse: Callable[[Refused], Answer]
    envelope: Callable[[Mapping[str, str], str], Envelope] | None = None
    """Where answers say something of the request they answer (its language, its trace): makes the envelope of one
    request from its headers and trace id, as it comes in. Then the two above serve the API document only."""
    prefix: str = ""
    """Paths that start so and belong to no operation are refused in this system's envelope too."""
    fixed_status: int | None = None
    """Its answers all have this HTTP status, refusals too: what came of a call is in the envelope."""
    any_content_type: bool = False
    """Its clients do not declare their JSON as such: take it whatever its content type."""
    contract: str | tuple[str, ...] | None = None
    """File in `schemas/contracts/` that documents its operations, or several that share their components."""
    security_schemes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """How its callers authenticate, as OpenAPI security schemes by name; for the API document."""
