"""Hours of get_history, and the layout of its files."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handlers.im.history_files import BETWEEN, LAST_LINE, first_line, message_line
from schemas.im.history_files import last_ready, parse_hour

EXAMPLE = Path(__file__).parents[3] / "schemas/contracts/examples/im/HistoryFile.C2C.json"


def test_an_hour_is_one_of_utc_plus_8() -> None:
    hour = parse_hour("2015120121")

    assert hour is not None
    assert (hour.start, hour.end) == (datetime(2015, 12, 1, 13, tzinfo=UTC), datetime(2015, 12, 1, 14, tzinfo=UTC))
    assert str(hour) == "2015120121"
    assert hour.ready_at == datetime(2015, 12, 1, 15, tzinfo=UTC)
    assert hour.expires_at == datetime(2015, 12, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "201512012", "2015120124", "2015133121", "20151201 1", "-015120121", "٢٠١٥١٢٠١٢١"]
)
def test_what_is_no_hour_is_none(text: str) -> None:
    assert parse_hour(text) is None


def test_the_last_hour_that_is_ready_ended_an_hour_ago() -> None:
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

    assert last_ready(now).start == datetime(2026, 3, 1, 10, tzinfo=UTC)  # to 11:00, ready at 12:00
    assert last_ready(now).ready_at <= now < last_ready(now).ready_at + timedelta(hours=1)
    assert last_ready(datetime(2026, 3, 1, 12, tzinfo=UTC)).start == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_a_file_is_laid_out_as_the_contracts_example() -> None:
    example = json.loads(EXAMPLE.read_text())
    lines = [
        message_line(
            message["From_Account"],
            message["To_Account"],
            f"{message['MsgSeq']}_{message['MsgRandom']}_{message['MsgTimestamp']}",
            message["MsgBody"],
        )
        for message in example["MsgList"]
    ]

    file = first_line("1104620500", "2015120121") + BETWEEN.join(lines) + LAST_LINE

    assert json.loads(file) == example
    written = file.decode().splitlines()
    assert written[0].endswith('"MsgList":[')
    assert [line.endswith(",") for line in written[1:]] == [True, False, False]
    assert written[-1] == "]}"
