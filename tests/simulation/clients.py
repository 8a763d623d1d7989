"""What clients send: facts, some of them again and elsewhere, and poison."""

from datetime import timedelta
from random import Random

import msgspec

from schemas.cloudevents import encode_headers, encode_structured
from schemas.events import Event, Headers
from tests.simulation.domain import CLIENT, KEYS, MORNING, PARTITIONS, Entered, Noted, Read, Spread, Withdrawn

Payload = Noted | Spread | Entered | Read | Withdrawn
TYPES: dict[type[Payload], str] = {
    Noted: "noted",
    Spread: "spread",
    Entered: "entered",
    Read: "read",
    Withdrawn: "withdrawn",
}


class Habits(msgspec.Struct, frozen=True):
    """What a run's clients send, and where to."""

    shares: tuple[int, ...]
    """How often which type, in the order of `TYPES`."""
    keys: tuple[str, ...]
    astray: float
    """Share of the facts that are not sent by their key at first, as before a topic got more partitions."""

    @classmethod
    def draw(cls, rng: Random) -> "Habits":
        return cls(
            shares=rng.choice(((35, 15, 30, 12, 8), (0, 0, 65, 20, 15))),
            keys=rng.choice((KEYS, KEYS, KEYS[:1])),
            astray=rng.choice((0, 0, 0.5)),
        )


class Sending(msgspec.Struct, frozen=True):
    """One record that a client writes."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


def sendings(rng: Random, count: int) -> list[Sending]:
    """What clients send, in the order they send it: facts, some of them again and elsewhere, and poison."""
    sent: list[Sending] = []
    entered: list[Entered] = []
    habits = Habits.draw(rng)
    for number in range(1, count + 1):
        payload = _payload(rng, number, habits, entered)
        by_key = _sending(rng, number, payload)
        astray = not _stays(payload) and rng.random() < habits.astray
        sent.append(_elsewhere(rng, by_key) if astray else by_key)
        while rng.random() < 0.25:
            again = by_key if _stays(payload) else _elsewhere(rng, by_key)
            # A copy may overtake: a client that gave up and sent again is not alone on its way.
            sent.insert(rng.randrange(max(0, len(sent) - 8), len(sent) + 1), again)
        while rng.random() < 0.08:
            sent.append(_poison(rng, number))
    return sent


def _payload(rng: Random, number: int, habits: Habits, entered: list[Entered]) -> Payload:
    key, at = rng.choice(habits.keys), MORNING + timedelta(milliseconds=rng.randrange(4))
    match rng.choices(list(TYPES.values()), habits.shares)[0]:
        case "noted":
            return Noted(number, key, rng.randrange(1, 9), f"v{number}", at, reset=rng.random() < 0.3)
        case "spread":
            concerned = tuple(rng.choice(habits.keys) for _ in range(rng.randrange(1, 4)))
            return Spread(number, concerned, rng.randrange(1, 9))
        case "read":
            return Read(number, key, at)
        case "withdrawn" if staying := [entry for entry in entered if _stays(entry)]:
            entry = rng.choice(staying)
            return Withdrawn(number, entry.key, entry.number)
    entered.append(Entered(number, key, at))
    return entered[-1]


def _stays(payload: Payload) -> bool:
    """Whether its copies stay on its partition: a mark finds for sure what came before it in the same log, no more."""
    return isinstance(payload, Withdrawn) or (isinstance(payload, Entered) and payload.number % 2 == 0)


def _sending(rng: Random, number: int, payload: Payload) -> Sending:
    subject = rng.choice(KEYS) if isinstance(payload, Spread) else payload.key
    data = msgspec.json.encode(payload)
    event = Event(id=f"e{number}", source=CLIENT, type=TYPES[type(payload)], subject=subject, time=MORNING, data=data)
    key = subject.encode()
    partition = sum(key) % PARTITIONS["facts"]
    if rng.random() < 0.1:
        structured = msgspec.json.encode(encode_structured(event))
        return Sending("facts", partition, key, structured, (("content-type", b"application/cloudevents+json"),))
    return Sending("facts", partition, key, event.data, encode_headers(event))


def _elsewhere(rng: Random, sending: Sending) -> Sending:
    """The same event on the same partition, on another, or on another topic."""
    topic, partition = rng.choice(
        ((sending.topic, sending.partition), (sending.topic, 1 - sending.partition), ("others", 0))
    )
    return msgspec.structs.replace(sending, topic=topic, partition=partition)


def _poison(rng: Random, number: int) -> Sending:
    topic = rng.choice(("facts", "facts", "others", "derived"))
    event = Event(
        id=f"p{number}",
        source=CLIENT,
        type=rng.choice(("noted", "cursed", "unheard-of")),
        subject="ada",
        time=MORNING,
        data=msgspec.json.encode({"number": number}),
    )
    partition = rng.randrange(PARTITIONS[topic])
    if rng.random() < 0.3:
        return Sending(topic, partition, b"ada", b"\xff not an event", ())
    return Sending(topic, partition, b"ada", event.data, encode_headers(event))
