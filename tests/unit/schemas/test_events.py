from datetime import UTC, datetime

from schemas.events import Event, LogId


def event(source: str, event_id: str) -> Event:
    return Event(id=event_id, source=source, type="t", subject="s", time=datetime(2026, 1, 1, tzinfo=UTC), data=b"{}")


def test_a_slash_in_source_or_id_does_not_make_two_facts_one() -> None:
    identities = {
        event("a", "b/c").identity,
        event("a/b", "c").identity,
        event("a%2Fb", "c").identity,
        event("a%252Fb", "c").identity,
    }

    assert len(identities) == 4


def test_a_plain_source_reads_as_it_is() -> None:
    assert event("chat", "demo:42").identity == "chat/demo:42"


def test_a_fence_is_a_field_name_that_tells_creations_and_partitions_apart() -> None:
    logs = [LogId("a.b", "c1", 0), LogId("a.b", "c2", 0), LogId("a.b", "c1", 1)]

    fences = {log.fence for log in logs}

    assert len(fences) == 3
    assert not any("." in fence or fence.startswith("$") for fence in fences)
