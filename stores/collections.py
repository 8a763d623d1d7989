"""Every collection, once: its name and its indexes.

`fanfold up`, `fanfold topics sync` and `fanfold doctor` read this table; queries
in `stores/` name no collection that is not in it.
"""

from datetime import timedelta
from typing import Any

import msgspec

from handlers import accounts, contacts, detections, directory, inboxes, letters, tg
from handlers.im import callbacks as im_callbacks
from handlers.im import conversations as im_conversations
from handlers.im import figures, presence
from handlers.im import messages as im_messages
from handlers.outcome import SEEN
from handlers.payments import PAYMENTS
from handlers.usage import totals
from handlers.usage.records import USAGE_RECORDS
from handlers.wallets import RECHARGE_PAYMENTS
from stores.im.extensions import EXTENSIONS
from stores.im.labels import ATTR_NAMES, LABELS
from stores.mongo import Database, translated
from stores.mt.alert_contacts import ALERT_CONTACTS, ALERT_RULES
from stores.mt.alert_episodes import ALERT_EPISODES
from stores.mt.api_cache import API_CACHE
from stores.mt.api_docs import API_DOCS, FAVOURITES
from stores.mt.api_tasks import API_TASK_ROWS, API_TASKS
from stores.mt.assignments import ASSIGNMENTS
from stores.mt.billing import STATEMENT_HEADS
from stores.mt.claims import CLAIMS
from stores.mt.contracts import CONTRACTS
from stores.mt.customers import CUSTOMERS as MT_CUSTOMERS
from stores.mt.grants import GRANTS
from stores.mt.invoices import INVOICES
from stores.mt.numbers import NUMBERS
from stores.mt.price_book import ACCOUNTS as MT_ACCOUNTS
from stores.mt.products import PRODUCTS
from stores.mt.recharges import RECHARGE_ORDERS
from stores.mt.revisions import REVISIONS
from stores.mt.schedule import ADJUSTMENTS, TASKS
from stores.mt.sessions import SESSIONS
from stores.mt.sources import SOURCES, UPSTREAMS
from stores.mt.statements import STATEMENT_MOVES, STATEMENTS

LEASES = "leases"
IM_ACCOUNTS = "im_accounts"
IM_PUSHES = "im_pushes"
IM_PUSH_QUOTAS = "im_push_quotas"
IM_RELATIONS = "im_relations"
IM_RELATION_HEADS = "im_relation_heads"
IM_FRIEND_REQUESTS = "im_friend_requests"
PUSHES = "pushes"
"""Which deliveries a push came to: decided once, whatever is repeated."""
DELIVERIES = "deliveries"
CONTACT_BINDINGS = "contact_bindings"
PREFERENCES = "preferences"
ENDPOINTS = "endpoints"
TG_LINKS = "tg_links"
JOBS = "jobs"
FILES = "files"
FILE_CONTENTS = "file_contents"
"""GridFS's two collections are this name and `.files`, `.chunks`."""
REMEMBERED = timedelta(days=30)
"""How long a fact without a lasting document is recognised when it comes again."""


class Index(msgspec.Struct, frozen=True):
    """`keys` are (field, direction); an index is known by its name, which says its fields."""

    keys: tuple[tuple[str, int], ...]
    expires_after: timedelta | None = None
    only_where: dict[str, Any] | None = None
    sparse: bool = False
    unique: bool = False

    @property
    def name(self) -> str:
        return "_".join(f"{field}_{direction}" for field, direction in self.keys)

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"name": self.name}
        if self.expires_after is not None:
            options["expireAfterSeconds"] = int(self.expires_after.total_seconds())
        if self.only_where is not None:
            options["partialFilterExpression"] = self.only_where
        if self.sparse:
            options["sparse"] = True
        if self.unique:
            options["unique"] = True
        return options


_EXPIRING = Index((("recorded_at", 1),), expires_after=REMEMBERED)

COLLECTIONS: dict[str, tuple[Index, ...]] = {
    SEEN: (_EXPIRING,),
    accounts.ACCOUNTS: (
        # The clock looks for the next end; nearly no account is banned.
        Index((("ban.v.until", 1),), only_where={"ban.v.status": 2}),
        Index((("profile.chat_user_id.v", 1),), sparse=True),
        Index((("settings.main_user_id", 1),), sparse=True),
    ),
    accounts.LOGIN_LOG: (Index((("user_id", 1), ("at", -1))), Index((("at", -1),))),
    accounts.QR_REQUESTS: (_EXPIRING, Index((("user_id", 1), ("at", -1)))),
    accounts.LINKER_REQUESTS: (_EXPIRING,),
    detections.DETECTIONS: (Index((("at", -1),)),),
    PUSHES: (_EXPIRING,),
    DELIVERIES: (
        # What falls due in a partition, and what stands in its lanes: few, of all that are kept.
        Index((("partition", 1), ("due_at", 1)), only_where={"state": "waiting"}),
        Index((("partition", 1), ("lane", 1), ("order", 1)), only_where={"state": "parked"}),
        Index((("lane", 1), ("ordered_open", 1), ("order", 1)), only_where={"ordered_open": {"$exists": True}}),
        Index((("lane", 1), ("requested_at", -1))),
        Index((("recipient", 1), ("requested_at", -1))),
        # What was given up: few as well, and what operators ask for.
        Index((("state", 1), ("requested_at", -1)), only_where={"reason": {"$exists": True}}),
        Index((("lane", 1), ("order", 1)), only_where={"state": "dead"}),
        Index((("requested_at", 1),), expires_after=REMEMBERED),
    ),
    ENDPOINTS: (
        Index((("owner", 1), ("_id", -1))),
        Index((("serves", 1),)),
        # What a dispatcher asks for again and again: changes, and secrets whose time is over.
        Index((("updated_at", 1),)),
        Index((("secrets.until", 1),), sparse=True),
        Index((("deleted_at", 1),), expires_after=REMEMBERED),
    ),
    contacts.CONTACTS: (),
    # An account elsewhere is one contact's: of two that ask for it at once the index lets one pass.
    CONTACT_BINDINGS: (Index((("holds", 1),), sparse=True, unique=True),),
    PREFERENCES: (),
    # Ascending, though read backwards: in a descending index the embedded store loses ids that begin alike.
    inboxes.ENTRIES: (Index((("recipient", 1), ("at", 1), ("_id", 1))),),
    inboxes.INBOXES: (),
    directory.CUSTOMERS: (Index((("state.v.name", 1),)), Index((("state.v.external_user_id", 1),), sparse=True)),
    directory.SEATS: (Index((("state.v.phone", 1),), sparse=True), Index((("state.v.name", 1),))),
    directory.CHATS: (Index((("customer_id", 1),)),),
    directory.TRANSFERS: (Index((("state.v.user_id", 1), ("state.v.in_progress", 1))),),
    directory.KEYWORDS: (),
    directory.AFFILIATIONS: (),
    MT_CUSTOMERS: (Index((("salesman_id", 1),), sparse=True),),
    # Few, and each customer's are read together. By `updated_at`: what the price book has not read yet.
    totals.WALLETS: (Index((("merchant_id", 1),)), Index((("updated_at", 1),), sparse=True)),
    totals.LEDGER: (Index((("wallet_id", 1), ("at", 1), ("_id", 1))), Index((("kind", 1),))),
    RECHARGE_ORDERS: (),
    # To be shown to operators: few, of all that are kept.
    RECHARGE_PAYMENTS: (Index((("at", 1),), only_where={"state": "set_aside"}),),
    CONTRACTS: (Index((("merchant_id", 1), ("created_at", -1))),),
    CLAIMS: (),
    MT_ACCOUNTS: (Index((("merchant_id", 1), ("_id", 1))), Index((("updated_at", 1),))),
    NUMBERS: (),
    # Gone when they expire.
    API_CACHE: (
        Index((("expires_at", 1),), expires_after=timedelta()),
        Index((("digest", 1),)),
        Index((("item", 1), ("expires_at", -1))),
    ),
    REVISIONS: (),
    # By `updated_at`: what the price book has not read yet.
    PRODUCTS: (Index((("id", 1),), unique=True), Index((("sub_items", 1),)), Index((("updated_at", 1),))),
    SOURCES: (Index((("code", 1),), unique=True),),
    UPSTREAMS: (Index((("source_id", 1),)), Index((("item", 1),)), Index((("updated_at", 1),))),
    GRANTS: (
        Index((("dept_id", 1), ("item", 1)), unique=True),
        Index((("item", 1), ("_id", 1))),
        Index((("merchant_id", 1), ("_id", 1))),
        # Those that are there, and those that wait for audit.
        Index((("deleted_at", 1), ("state", 1), ("_id", 1))),
        Index((("updated_at", 1),)),
    ),
    ASSIGNMENTS: (Index((("dept_id", 1), ("item", 1), ("upstream_id", 1)), unique=True),),
    API_DOCS: (Index((("id", 1),)), Index((("category", 1),))),
    FAVOURITES: (),
    ADJUSTMENTS: (
        Index((("dept_id", 1), ("_id", 1))),
        Index((("grant_id", 1), ("_id", 1))),
        Index((("task_id", 1),)),
    ),
    TASKS: (
        Index((("task_key", 1), ("_id", 1))),
        Index((("task_key", 1), ("dept_id", 1), ("_id", 1))),
        # What is to be executed or was left half written: few, of all that are kept.
        Index((("plan_at", 1),), only_where={"waits": True}),
        Index((("updated_at", 1),), only_where={"settled": False}),
    ),
    ALERT_CONTACTS: (Index((("merchant_id", 1), ("_id", 1))),),
    ALERT_RULES: (Index((("merchant_id", 1), ("item", 1)), unique=True),),
    API_TASKS: (Index((("merchant_id", 1), ("created_at", -1))),),
    API_TASK_ROWS: (Index((("task", 1), ("row", 1))),),
    ALERT_EPISODES: (
        Index((("key", 1), ("number", 1))),
        # What the sentinel looks after: few, of all that are kept.
        Index((("pending", 1),), only_where={"pending": True}),
        Index((("closed_at", 1),), expires_after=timedelta(days=365)),
    ),
    # Gone when they end.
    SESSIONS: (Index((("expires_at", 1),), expires_after=timedelta()),),
    letters.COLLECTION: (Index((("state", 1), ("at", -1))),),
    # Kept for a day after their end: so long Telegram may go on sending an update that used one in time.
    TG_LINKS: (Index((("expires_at", 1),), expires_after=timedelta(days=1)),),
    tg.CHATS: (Index((("binding.v.customer", 1),), sparse=True),),
    # For the day's figures, and for pushes to all.
    IM_ACCOUNTS: (Index((("app", 1), ("imported_at", 1))), Index((("app", 1), ("slot", 1)))),
    IM_RELATIONS: (
        Index((("app", 1), ("by", 1), ("friend.place", 1))),
        Index((("app", 1), ("by", 1), ("blocked.place", 1))),
        Index((("app", 1), ("of", 1))),
        # No writer sleeps for so long.
        Index((("gone_at", 1),), expires_after=timedelta(days=1)),
    ),
    IM_RELATION_HEADS: (),
    IM_PUSHES: (_EXPIRING,),
    IM_PUSH_QUOTAS: (),
    IM_FRIEND_REQUESTS: (
        Index((("app", 1), ("asked", 1))),
        Index((("app", 1), ("requester", 1))),
        Index((("asked_at", 1),), expires_after=REMEMBERED),
    ),
    EXTENSIONS: (),
    ATTR_NAMES: (),
    LABELS: (Index((("tokens", 1), ("slot", 1))),),
    presence.PRESENCE: (),
    im_conversations.MESSAGES: (
        # Ascending: where a bound begins a place, the embedded store loses that place in a descending one.
        Index((("timelines", 1), ("order", 1))),
        # What may be unread on a side. Not partial: to count by such an index the embedded store walks the collection.
        Index((("unread_in", 1), ("at", 1))),
        # An hour's, for its files, and a day's, for its figures.
        Index((("app", 1), ("order", 1), ("_id", 1))),
    ),
    im_messages.RECALLS: (_EXPIRING, Index((("message", 1),))),
    im_conversations.CONVERSATIONS: (
        Index((("owner", 1), ("listed", 1), ("pinned", 1), ("order", 1))),
        Index((("owner", 1), ("unread", 1))),
    ),
    figures.DAYS: (),
    figures.DAY_USERS: (
        Index((("day", 1), ("sent", 1))),
        Index((("day", 1), ("login", 1))),
        # Somewhat more than getappinfo tells of.
        Index((("at", 1),), expires_after=timedelta(days=40)),
    ),
    im_callbacks.STATE_CHANGES: (Index((("account", 1), ("at", -1))),),
    im_callbacks.CALLBACKS: (_EXPIRING, Index((("about", 1), ("at", -1)))),
    # Each costs every call that is recorded: lists by customer and for all, free calls that are given once, and
    # what has no price (few).
    USAGE_RECORDS: (
        Index((("merchant_id", 1), ("created_at", 1))),
        Index((("created_at", 1),)),
        Index((("free.grant", 1), ("free.no", 1)), only_where={"free.no": {"$exists": True}}, unique=True),
        Index((("state", 1), ("created_at", 1)), only_where={"state": "unrated"}),
    ),
    totals.CUST_HOURLY: (Index((("day", 1),)),),
    # With `_id` after the time: bills are listed by both.
    totals.CUST_DAILY: (
        Index((("merchant_id", 1), ("day", 1))),
        Index((("dept_id", 1), ("day", 1), ("_id", 1))),
        Index((("day", 1), ("_id", 1))),
    ),
    totals.CUST_MONTHLY: (
        Index((("merchant_id", 1), ("month", 1))),
        Index((("dept_id", 1), ("month", 1), ("_id", 1))),
        Index((("month", 1), ("_id", 1))),
    ),
    totals.SOURCE_DAILY: (Index((("source", 1), ("day", 1), ("_id", 1))), Index((("day", 1), ("_id", 1)))),
    totals.SOURCE_MONTHLY: (Index((("source", 1), ("month", 1), ("_id", 1))), Index((("month", 1), ("_id", 1)))),
    totals.FREE_USAGE: (),
    STATEMENTS: (
        Index((("id", 1),), unique=True),
        Index((("merchant_id", 1), ("month", 1), ("id", 1))),
        Index((("listed", 1), ("month", 1), ("id", 1))),
        Index((("state", 1), ("month", 1), ("id", 1))),
        Index((("dept_id", 1), ("month", 1), ("id", 1))),
        # What the clock follows: few, of all that are kept.
        Index((("mailing", 1), ("id", 1)), only_where={"mailing": True}),
    ),
    STATEMENT_HEADS: (),
    STATEMENT_MOVES: (Index((("statement_no", 1), ("revision", 1))),),
    INVOICES: (
        Index((("merchant_id", 1), ("_id", 1))),
        Index((("dept_ids", 1), ("_id", 1))),
        Index((("state", 1), ("_id", 1))),
        Index((("unsettled", 1), ("created_at", 1)), only_where={"unsettled": True}),
    ),
    PAYMENTS: (
        Index((("payment_no", 1),), unique=True),
        Index((("merchant_id", 1), ("paid_on", 1), ("_id", 1))),
        Index((("paid_on", 1), ("_id", 1))),
        Index((("crediting", 1),), only_where={"crediting": True}),
    ),
    LEASES: (),
    JOBS: (
        # Whose turn it is: few are open, of all that are kept.
        Index((("owner", 1), ("due_at", 1)), only_where={"open": True}),
        Index((("created_at", 1), ("_id", 1))),
        Index((("state", 1), ("created_at", 1), ("_id", 1))),
        Index((("owner", 1), ("created_at", 1), ("_id", 1))),
        Index((("kind", 1), ("created_at", 1), ("_id", 1))),
        Index((("finished_at", 1),), expires_after=REMEMBERED),
    ),
    FILES: (Index((("expires_at", 1),), sparse=True), Index((("begun.at", 1),), sparse=True)),
    # As GridFS makes them itself.
    f"{FILE_CONTENTS}.files": (Index((("filename", 1), ("uploadDate", 1))),),
    f"{FILE_CONTENTS}.chunks": (Index((("files_id", 1), ("n", 1)), unique=True),),
}


async def ensure_indexes(database: Database) -> list[str]:
    """Create what is missing; returns `collection.index` of each. Safe to repeat. Raises StoreAway."""
    missing = await _missing(database)
    for collection, index in missing:
        with translated():
            await database[collection].create_index(list(index.keys), **index.options)
    return [f"{collection}.{index.name}" for collection, index in missing]


async def missing_indexes(database: Database) -> list[str]:
    """`collection.index` of each that is declared and not there. Raises StoreAway."""
    return [f"{collection}.{index.name}" for collection, index in await _missing(database)]


async def _missing(database: Database) -> list[tuple[str, Index]]:
    missing = []
    for collection, indexes in COLLECTIONS.items():
        if indexes:
            with translated():
                present = await database[collection].index_information()
            missing += [(collection, index) for index in indexes if index.name not in present]
    return missing
