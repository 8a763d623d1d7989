"""Which handler folds which type of event: the whole table."""

from config.topics import MAX_RECORD_BYTES
from handlers.accounts import (
    expire_ban,
    fold_ban,
    fold_inspection,
    fold_profile,
    fold_session,
    forget_code,
    keep_linker_request,
    keep_qr_request,
)
from handlers.alerts import tell_closed, tell_raised
from handlers.contacts import fold_contact, keep_binding_fact
from handlers.detections import spread_detection
from handlers.directory import (
    fold_affiliation,
    fold_assignment,
    fold_customer,
    fold_keyword,
    fold_seat,
    fold_transfer,
)
from handlers.im.callbacks import fold_state, keep_callback
from handlers.im.conversations import delete_conversation, pin_conversation, read_messages
from handlers.im.messages import fold_message, keep_receipt, modify_message, pass_on, withdraw_message
from handlers.im.presence import end_presence
from handlers.im.relations_facts import remember_relation
from handlers.inboxes import enter_inbox, read_inbox
from handlers.letters import keep_letter
from handlers.merchants import remember_account_change, sync_account, sync_merchant
from handlers.outcome import Route
from handlers.payments import keep_payment
from handlers.report_templates import remember_template_sync
from handlers.tg import answer_refused, fold_bound, fold_unbound
from handlers.wallets import fold_recharge, fold_refund, fold_sweep, look_again
from handlers.wallets import keep_payment as keep_recharge_payment
from schemas.account import (
    AccountInspected,
    AccountProfiled,
    BanExpired,
    BanSynced,
    CodeSubmitted,
    LinkersRequested,
    QrRequested,
    SessionChanged,
)
from schemas.alert import AlertClosed, AlertRaised
from schemas.contact import ContactBound, ContactSynced, ContactUnbound
from schemas.detection import DetectionNoticed
from schemas.directory import (
    AffiliationNamed,
    CustomerSynced,
    KeywordSynced,
    SeatAssigned,
    SeatSynced,
    TransferChanged,
)
from schemas.im.accounts import AccountDeleted, AccountKicked
from schemas.im.callbacks import CallbackReceived, StateChanged
from schemas.im.message import (
    ConversationDeleted,
    ConversationPinned,
    MessageModified,
    MessageReceipted,
    MessageRelayed,
    MessageSent,
    MessagesRead,
    MessageWithdrawn,
)
from schemas.im.sns_facts import (
    BlacklistAdded,
    BlacklistDeleted,
    FriendAdded,
    FriendDeleted,
    FriendGroupsChanged,
    FriendRequested,
)
from schemas.inbox import InboxEntered, InboxRead
from schemas.letter import DeadLettered
from schemas.merchant import MerchantAccountChanged, MerchantAccountSynced, MerchantSynced
from schemas.payment import PaymentReceived
from schemas.report_templates import TemplateSyncRequested
from schemas.tg import TelegramBound, TelegramLinkRefused, TelegramUnbound
from schemas.wallet import (
    RechargePaid,
    WalletConfigured,
    WalletMerged,
    WalletRecharged,
    WalletRefunded,
    WalletSwept,
)

ROUTES: dict[str, Route] = {
    "account.session.changed": Route(SessionChanged, fold_session),
    "account.profiled": Route(AccountProfiled, fold_profile),
    "account.ban.synced": Route(BanSynced, fold_ban),
    "account.ban.expired": Route(BanExpired, expire_ban),
    "account.inspected": Route(AccountInspected, fold_inspection),
    "account.qr.requested": Route(QrRequested, keep_qr_request),
    "account.linkers.requested": Route(LinkersRequested, keep_linker_request),
    "account.code.submitted": Route(CodeSubmitted, forget_code),
    "detection.noticed": Route(DetectionNoticed, spread_detection),
    "contact.synced": Route(ContactSynced, fold_contact),
    "contact.bound": Route(ContactBound, keep_binding_fact),
    "contact.unbound": Route(ContactUnbound, keep_binding_fact),
    "inbox.entered": Route(InboxEntered, enter_inbox),
    "inbox.read": Route(InboxRead, read_inbox),
    "customer.synced": Route(CustomerSynced, fold_customer),
    "seat.synced": Route(SeatSynced, fold_seat),
    "seat.assigned": Route(SeatAssigned, fold_assignment),
    "transfer.changed": Route(TransferChanged, fold_transfer),
    "keyword.synced": Route(KeywordSynced, fold_keyword),
    "affiliation.named": Route(AffiliationNamed, fold_affiliation),
    "telegram.bound": Route(TelegramBound, fold_bound),
    "telegram.unbound": Route(TelegramUnbound, fold_unbound),
    "telegram.link-refused": Route(TelegramLinkRefused, answer_refused),
    "im.account.kicked": Route(AccountKicked, end_presence),
    "im.account.deleted": Route(AccountDeleted, end_presence),
    "im.friend.added": Route(FriendAdded, remember_relation),
    "im.friend.deleted": Route(FriendDeleted, remember_relation),
    "im.friend.requested": Route(FriendRequested, remember_relation),
    "im.blacklist.added": Route(BlacklistAdded, remember_relation),
    "im.blacklist.deleted": Route(BlacklistDeleted, remember_relation),
    "im.friend-group.changed": Route(FriendGroupsChanged, remember_relation),
    "im.state.changed": Route(StateChanged, fold_state),
    "im.callback.received": Route(CallbackReceived, keep_callback),
    "im.message.sent": Route(MessageSent, fold_message),
    "im.message.relayed": Route(MessageRelayed, pass_on),
    "im.message.read": Route(MessagesRead, read_messages),
    "im.message.withdrawn": Route(MessageWithdrawn, withdraw_message),
    "im.message.modified": Route(MessageModified, modify_message),
    "im.message.receipted": Route(MessageReceipted, keep_receipt),
    "im.conversation.deleted": Route(ConversationDeleted, delete_conversation),
    "im.conversation.pinned": Route(ConversationPinned, pin_conversation),
    "report.templates.sync.requested": Route(TemplateSyncRequested, remember_template_sync),
    "payment.received": Route(PaymentReceived, keep_payment),
    "merchant.synced": Route(MerchantSynced, sync_merchant),
    "merchant.account.synced": Route(MerchantAccountSynced, sync_account),
    "merchant.account.changed": Route(MerchantAccountChanged, remember_account_change),
    "wallet.recharged": Route(WalletRecharged, fold_recharge),
    "wallet.refunded": Route(WalletRefunded, fold_refund),
    "wallet.merged": Route(WalletMerged, look_again),
    "wallet.swept": Route(WalletSwept, fold_sweep),
    "wallet.configured": Route(WalletConfigured, look_again),
    "recharge.paid": Route(RechargePaid, keep_recharge_payment),
    "alert.raised": Route(AlertRaised, tell_raised),
    "alert.closed": Route(AlertClosed, tell_closed),
    "event.dead-lettered": Route(DeadLettered, keep_letter, max_bytes=MAX_RECORD_BYTES),
}
