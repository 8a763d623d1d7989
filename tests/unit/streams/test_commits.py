import pytest

from schemas.events import LogId
from streams.commits import Committed, starting_offset

LOG = LogId("accounts", "c2", 3)


@pytest.mark.parametrize(
    ("committed", "start"),
    [
        (None, 4),  # nothing committed: from the beginning, which retention may have moved
        (Committed(17, "c2"), 17),
        (Committed(17, "c1"), 4),  # said of a log that is gone
        (Committed(17, ""), 17),  # set by hand
    ],
)
def test_a_new_owner_starts_where_this_creation_of_the_log_was_left(committed: Committed | None, start: int) -> None:
    assert starting_offset(committed, LOG, beginning=4) == start
