"""Digests: several deliveries that leave as one message."""

import hashlib
from collections.abc import Sequence

import msgspec

from schemas.delivery import DeliveryPlanned
from schemas.push import Language

TITLE: dict[Language, str] = {"en": "{count} messages", "zh": "{count} 条消息"}


def gather(members: Sequence[DeliveryPlanned]) -> DeliveryPlanned:
    """One delivery that says what all of them say, the oldest first; a single one as it is.

    Its id follows from its members: the same ones again are known as a repeat.
    """
    first = members[0]
    if len(members) == 1:
        return first
    ordered = sorted(members, key=lambda planned: (planned.requested_at, planned.id))
    texts = [
        f"{each.title}\n{each.body}" if each.title and each.body else each.title or each.body or "" for each in ordered
    ]
    names = "\n".join(sorted(each.id for each in members))
    return msgspec.structs.replace(
        first,
        id=f"dg_{hashlib.sha256(names.encode()).hexdigest()[:26]}",
        kind="digest",
        title=TITLE[first.language].format(count=len(members)),
        body="\n\n".join(texts),
        fields={"deliveries": [{"id": each.id, "kind": each.kind, "fields": each.fields} for each in ordered]},
        urgency=max((each.urgency for each in members), key=("low", "normal", "high", "critical").index),
        requested_at=ordered[0].requested_at,
        attachments=tuple(dict.fromkeys(file for each in ordered for file in each.attachments or ())) or None,
    )
