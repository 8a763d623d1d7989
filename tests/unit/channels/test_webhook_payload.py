import json

from channel_samples import a_message

from channels.ways.webhook import payload


def test_the_payload_is_type_time_and_data() -> None:
    assert json.loads(payload(a_message())) == {
        "type": "detection.noticed",
        "timestamp": "2026-03-01T12:30:00Z",
        "data": {
            "recipient": "user/7",
            "urgency": "high",
            "title": "Ban",
            "body": "An account was banned.",
            "fields": {"account": "u1"},
        },
    }


def test_what_there_is_not_is_left_out() -> None:
    data = json.loads(payload(a_message(title=None, body=None, fields={})))["data"]

    assert data == {"recipient": "user/7", "urgency": "high", "fields": {}}
    assert json.loads(payload(a_message(mention="ou_1")))["data"]["mention"] == "ou_1"
