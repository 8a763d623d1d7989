import pytest

from gateway.trace import begin, parse, trace_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_callers_trace_goes_on() -> None:
    trace = trace_of(PARENT)

    assert (trace.id, trace.parent) == ("0af7651916cd43dd8448eb211c80319c", PARENT)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "0af7651916cd43dd8448eb211c80319c",
        PARENT.upper(),
        PARENT + "-more",  # version 00 has no more parts
        "ff" + PARENT[2:],  # a forbidden version
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        PARENT + "\n",
        PARENT + "\r\nSet-Cookie: x",
        "01" + PARENT[2:] + "-" + "x" * 300,
    ],
)
def test_a_malformed_trace_is_replaced_by_a_new_one(malformed: str) -> None:
    trace = trace_of(malformed)

    assert parse(trace.parent) == trace
    assert trace.id != "0af7651916cd43dd8448eb211c80319c"


def test_a_later_version_may_say_more() -> None:
    later = "01" + PARENT[2:] + "-more"

    assert trace_of(later).parent == later


def test_each_request_without_a_trace_begins_one_of_its_own() -> None:
    assert len({begin().id for _ in range(100)}) == 100
