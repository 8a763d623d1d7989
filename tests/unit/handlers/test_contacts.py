from handler_events import an_event

from handlers.contacts import fold_contact, keep_binding_fact
from handlers.effects import Effect, Latest
from handlers.outcome import Outcome
from schemas.contact import ContactSynced, ContactUnbound

EVENT = an_event()


def test_a_contact_is_as_the_newest_word_says() -> None:
    outcome = fold_contact(EVENT, ContactSynced(contact_id="7", agent_id="3", account="acc", remark="vip"))

    state = {"agent_id": "3", "account": "acc", "remark": "vip", "template_id": "0", "removed": False}
    assert outcome.effects == (Effect("contacts", "7", {"state": Latest(EVENT.time, state)}),)


def test_a_binding_stands_already_when_it_is_told() -> None:
    unbound = ContactUnbound(contact_id="7", account_source="open", agent="ann", seq=2)

    assert keep_binding_fact(EVENT, unbound) == Outcome()
