"""The contact binding API: one path, four methods, as contracts/contact-binding.yaml names them.

Bindings are settings: written to the store in the call, readable at once; what has
changed is told as a fact after it. A call that is repeated tells the same fact again,
for the first may not have reached Kafka.
"""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from config.settings import ContactBindingSettings
from gateway.body import Typed
from gateway.contact_auth import Agents
from gateway.contact_envelope import ALREADY_BOUND, USER_ERROR, refuse, succeed
from gateway.contact_forms import fields_in_body, fields_in_query, fields_of
from gateway.system import Call, Operation, Reply, System
from schemas.contact import (
    AddBindingRequest,
    Binding,
    BindingQuery,
    ContactBound,
    ContactUnbound,
    DeleteBindingRequest,
    UpdateBindingRequest,
)
from schemas.events import Event
from stores.contacts import (
    Contact,
    ContactBinding,
    Standing,
    bind,
    holder_of,
    known_contacts,
    rebind,
    standing_of,
    unbind,
)
from stores.mongo import Database

PREFIX = "/api/v1/user/relationship/"
PATH = f"{PREFIX}cid.json"
SOURCE = "contact-binding"


class Bindings:
    """The four operations. `agent` is the account that calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add, self._query = Typed(AddBindingRequest), Typed(BindingQuery)
        self._update, self._delete = Typed(UpdateBindingRequest), Typed(DeleteBindingRequest)

    async def add(self, call: Call, agent: str) -> Reply:
        asked: AddBindingRequest = self._add.validate(fields_in_body(call))
        if not await known_contacts(self._database, [asked.contact]):
            return Reply(USER_ERROR)
        wanted = ContactBinding(
            contact=asked.contact, account_source=asked.account_source, open_id=asked.open_id, app_id=asked.app_id
        )
        change = await bind(self._database, wanted, agent, call.received_at)
        return Reply(True if change.done else ALREADY_BOUND, facts_of(change.told, call))

    async def query(self, call: Call, _: str) -> Reply:
        asked: BindingQuery = self._query.validate(fields_in_query(call))
        if asked.contact is None:
            standing = await holder_of(self._database, asked.account_source, asked.open_id or "")
        else:
            standing = await standing_of(self._database, asked.contact, asked.account_source)
        whose = asked.contact if standing is None else standing.contact
        contact = (await known_contacts(self._database, [whose])).get(whose) if whose is not None else None
        if contact is None:
            return Reply(USER_ERROR if asked.contact is not None else [])
        binding = standing.binding if standing is not None else None
        fits = binding is not None and asked.open_id in (None, binding.open_id)
        return Reply([row(contact, binding)] if binding is not None and fits else [])

    async def update(self, call: Call, agent: str) -> Reply:
        """False where there is no binding to change."""
        asked: UpdateBindingRequest = self._update.validate(fields_in_body(call))
        if not await known_contacts(self._database, [asked.contact]):
            return Reply(USER_ERROR)
        change = await rebind(
            self._database, asked.contact, asked.account_source, asked.open_id, asked.app_id, agent, call.received_at
        )
        if change is None:
            return Reply(False)
        return Reply(True if change.done else ALREADY_BOUND, facts_of(change.told, call))

    async def delete(self, call: Call, agent: str) -> Reply:
        """False where there is no binding to delete. One of a contact that was removed can be deleted yet."""
        asked: DeleteBindingRequest = self._delete.validate(fields_of(call))
        change = await unbind(self._database, asked.contact, asked.account_source, agent, call.received_at)
        if not change.done and not await known_contacts(self._database, [asked.contact]):
            return Reply(USER_ERROR, facts_of(change.told, call))
        return Reply(change.done, facts_of(change.told, call))


def row(contact: Contact, binding: ContactBinding) -> Binding:
    return Binding(
        a_id=contact.agent_id,
        c_id=contact.id,
        account=contact.account,
        remark=contact.remark,
        template_id=contact.template_id,
        open_id=binding.open_id,
        app_id=binding.app_id,
        account_source=binding.account_source,
    )


def facts_of(told: Iterable[Standing], call: Call) -> tuple[Event, ...]:
    return tuple(fact_of(standing, call.traceparent) for standing in told)


def fact_of(standing: Standing, traceparent: str | None = None) -> Event:
    """The same fact whenever it is told: by what it is about, and the how manieth change of it."""
    changed = {
        "contact_id": standing.contact,
        "account_source": standing.account_source,
        "agent": standing.agent,
        "seq": standing.seq,
    }
    binding = standing.binding
    payload: ContactBound | ContactUnbound
    if binding is None:
        payload = msgspec.convert(changed, ContactUnbound)
    else:
        payload = msgspec.convert({**changed, "open_id": binding.open_id, "app_id": binding.app_id}, ContactBound)
    return Event(
        id=f"{standing.contact}/{standing.account_source}/{standing.seq}",
        source=SOURCE,
        type="contact.unbound" if binding is None else "contact.bound",
        subject=standing.contact,
        time=standing.at,
        data=msgspec.json.encode(payload),
        traceparent=traceparent,
    )


def contact_binding_system(settings: ContactBindingSettings, database: Database) -> System:
    agents, bindings = Agents(settings.agents), Bindings(database)

    def operation(operation_id: str, method: str, handle: Callable[[Call, str], Awaitable[Reply]]) -> Operation:
        async def handle_for_agent(call: Call) -> Reply:
            return await handle(call, await agents.agent_of(call))

        return Operation(
            operation_id, method, PATH, handle_for_agent, agents.require_credentials, security=("basicAuth",)
        )

    return System(
        name="contact-binding",
        operations=(
            operation("addContactBinding", "POST", bindings.add),
            operation("getContactBindings", "GET", bindings.query),
            operation("updateContactBinding", "PUT", bindings.update),
            operation("deleteContactBinding", "DELETE", bindings.delete),
        ),
        succeed=succeed,
        refuse=refuse,
        prefix=PREFIX,
        contract="contact-binding.yaml",
        security_schemes={"basicAuth": {"type": "http", "scheme": "basic"}},
    )
