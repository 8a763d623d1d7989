"""Notices of a product's change: mails to who holds the product, sent when the change is decided.

Notified are nobody, the listed accounts or all that hold it (contract, NoticeScope). An account's
address is the one that was listed with it, else its own. The contract does not list the ways of
notification: where some are named, one of them has to be mail.
"""

from collections.abc import Iterable, Sequence

from gateway.mt.facts import fact
from gateway.mt.frame import Asked
from handlers.products.moves import ProductState
from schemas.events import Event
from schemas.push import PushRequested
from stores.mt.depts import Dept
from stores.mt.schedule import ProductChange

NOBODY, LISTED, ALL = 0, 10, 20
KINDS = {
    ProductState.OFF_SHELF: "product.unlisted",
    ProductState.ABNORMAL: "product.abnormal",
    ProductState.ON_SHELF: "product.listed",
}


def notices(change: ProductChange, name: str, when: str, holders: Sequence[Dept], asked: Asked) -> tuple[Event, ...]:
    """One push for each address; `when` is the text of the time at which the change takes effect."""
    by_mail = not change.notice_methods or any("mail" in method.lower() for method in change.notice_methods)
    if change.notice_scope == NOBODY or not by_mail:
        return ()
    fields = {"item": change.item, "name": name, "when": when}
    kind = KINDS[ProductState(change.to_state)]
    if change.note:
        fields["note"] = change.note
    return tuple(_push(address, kind, fields, asked) for address in sorted(set(_addresses(change, holders))))


def _addresses(change: ProductChange, holders: Iterable[Dept]) -> Iterable[str]:
    own = {dept.id: dept.emails for dept in holders}
    if change.notice_scope == ALL:
        listed: dict[int, str | None] = dict.fromkeys(own)
    else:
        listed = {noticed.dept_id: noticed.email for noticed in change.noticed}
    for dept_id, address in listed.items():
        yield from [address] if address else own.get(dept_id, ())


def _push(address: str, kind: str, fields: dict[str, str], asked: Asked) -> Event:
    push = PushRequested(recipient=f"email/{address}", kind=kind, fields=fields, channels=("email",))
    return fact(asked, "push.requested", push.recipient, push, f"{kind}/{asked.call.trace_id}/{address}")
