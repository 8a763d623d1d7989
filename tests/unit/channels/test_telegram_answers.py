import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.channel import Came, Receipt
from channels.http import Answer
from channels.telegram_api import Said, judge, request_of, said_in
from channels.telegram_text import Part


def receipt_of(status: int, body: Any) -> Receipt:
    said = said_in(Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode()))
    return judge(said) if isinstance(said, Said) else said


def refusal(code: int, description: str, **parameters: int) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": description, "parameters": parameters}


@pytest.mark.parametrize(
    ("code", "description", "came"),
    [
        (400, "Bad Request: chat not found", Came.GONE),
        (400, "Bad Request: user not found", Came.GONE),
        (400, "Bad Request: PEER_ID_INVALID", Came.GONE),
        (403, "Forbidden: bot was blocked by the user", Came.GONE),
        (403, "Forbidden: user is deactivated", Came.GONE),
        (403, "Forbidden: bot can't initiate conversation with a user", Came.GONE),
        (403, "Forbidden: bot was kicked from the group chat", Came.GONE),
        (400, "Bad Request: message is too long", Came.REFUSED),
        (400, "Bad Request: message text is empty", Came.REFUSED),
        (413, "Request Entity Too Large", Came.REFUSED),
        (401, "Unauthorized", Came.RETRY),
        (404, "Not Found", Came.RETRY),
        (429, "Too Many Requests: retry after 35", Came.RETRY),
        (500, "Internal Server Error", Came.RETRY),
        (502, "Bad Gateway", Came.RETRY),
    ],
)
def test_what_telegram_refuses_is_sorted_by_its_words(code: int, description: str, came: Came) -> None:
    receipt = receipt_of(code, refusal(code, description))

    assert (receipt.came, receipt.status) == (came, code)


def test_telegram_says_how_long_to_wait() -> None:
    receipt = receipt_of(429, refusal(429, "Too Many Requests: retry after 35", retry_after=35))

    assert receipt.retry_after_seconds == 35


@pytest.mark.parametrize("code", [401, 404])
def test_a_wrong_token_is_named_as_what_it_is(code: int) -> None:
    assert "token" in (receipt_of(code, refusal(code, "Not Found")).response or "")


def test_what_arrived_has_no_answer_to_keep() -> None:
    answer = receipt_of(200, {"ok": True, "result": {"message_id": 7, "text": "what was said"}})

    assert answer == Receipt(came=Came.DELIVERED, status=200)


@given(st.sampled_from([200, 301, 400, 403, 404, 502]), st.binary(max_size=50))
def test_what_is_not_the_bot_apis_answer_says_nothing_about_the_message(status: int, body: bytes) -> None:
    assert receipt_of(status, b"<" + body).came == Came.RETRY


def test_an_answer_without_a_code_counts_by_its_status() -> None:
    assert receipt_of(403, {"ok": False}).came == Came.GONE


@pytest.mark.parametrize(
    ("chat", "sent"), [("77", 77), ("-1001", -1001), ("@news", "@news"), ("-", "-"), ("\u0667", "\u0667")]
)
def test_chats_are_named_by_number_or_by_name(chat: str, sent: Any) -> None:
    assert json.loads(request_of(chat, Part("Hi", 0)))["chat_id"] == sent


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_text_is_sent_as_it_is_with_no_markup_in_force(text: str) -> None:
    request = json.loads(request_of("1", Part(text, 3)))

    assert request == {
        "chat_id": 1,
        "text": text,
        "entities": [{"type": "bold", "offset": 0, "length": 3}],
        "link_preview_options": {"is_disabled": True},
    }
