"""Every topic, once: what is on it, by what key, how many partitions, for how long.

Topic creation, the publisher, the workers, `fanfold topics` and the AsyncAPI
document all read this registry; nothing else names a topic.
"""

from datetime import timedelta

import msgspec

from schemas import (
    account,
    alert,
    contact,
    delivery,
    detection,
    directory,
    inbox,
    letter,
    merchant,
    payment,
    push,
    report_templates,
    tg,
    usage,
    wallet,
)
from schemas.catalogue import EventType
from schemas.im import accounts as im_accounts
from schemas.im import callbacks as im_callbacks
from schemas.im import message as im_message
from schemas.im import sns_facts as im_relations


class Topic(msgspec.Struct, frozen=True):
    name: str
    key: str
    """What the subject, and so the partition key, is."""
    event_types: tuple[EventType, ...]
    partitions: int = 6
    group: str = "folder"
    """The consumer group that takes its events in."""
    retention: timedelta = timedelta(days=7)


MAX_RECORD_BYTES = 4 * 1024 * 1024
"""A body of 1 MiB, with headers, and once more in base64 as a dead letter."""

TOPICS: tuple[Topic, ...] = (
    Topic("accounts", "user id of the account (chat user id for linkers)", account.EVENT_TYPES),
    # Short: a code is a secret, and of no use to anybody after minutes.
    Topic("login-codes", "user id of the account", account.CODE_EVENT_TYPES, retention=timedelta(hours=1)),
    Topic("detections", "task number of the check", detection.EVENT_TYPES),
    Topic("pushes", "recipient", push.EVENT_TYPES, group="router"),
    Topic("deliveries", "lane: what shares an address and its limits", delivery.EVENT_TYPES, group="dispatcher"),
    Topic("inboxes", "recipient", inbox.EVENT_TYPES),
    Topic("contacts", "contact id", contact.EVENT_TYPES),
    Topic("directory", "id of the customer, seat, transfer, keyword or affiliation", directory.EVENT_TYPES),
    Topic("telegram", "chat id", tg.EVENT_TYPES),
    Topic("im-accounts", "app and user id", (*im_accounts.EVENT_TYPES, *im_callbacks.ACCOUNT_EVENT_TYPES)),
    Topic("im-relations", "app and user id", im_relations.EVENT_TYPES),
    Topic("im-messages", "app and the two users, the smaller first", im_message.EVENT_TYPES),
    Topic("im-callbacks", "app and the group or account that it is about", im_callbacks.EVENT_TYPES),
    Topic("usage", "dept id of the account that called", usage.EVENT_TYPES, group="rater"),
    Topic("failures", "dept id and product", usage.FAILURE_EVENT_TYPES, group="sentinel"),
    Topic("alerts", "dept id and product", alert.EVENT_TYPES),
    Topic("merchants", "merchant id of the customer, or dept id of the account", merchant.EVENT_TYPES),
    Topic("wallets", "wallet id; of a payment the number of the order that it pays", wallet.EVENT_TYPES),
    Topic("payments", "merchant id of the customer", payment.EVENT_TYPES),
    Topic("reports", "user whose report templates it is about", report_templates.EVENT_TYPES, partitions=1),
    Topic("dead-letters", "where the record came from", letter.EVENT_TYPES, partitions=1, retention=timedelta(days=30)),
)


def topic_of(event_type: str) -> Topic:
    """The topic that carries a type. Raises KeyError for a type nobody declared."""
    return _TOPIC_OF[event_type]


EVENT_TYPES: dict[str, EventType] = {kind.name: kind for topic in TOPICS for kind in topic.event_types}
_TOPIC_OF = {kind.name: topic for topic in TOPICS for kind in topic.event_types}
