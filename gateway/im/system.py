"""The IM server API: all commands that are served, each declared by the module that answers it."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from channels.net import Net
from config.settings import FilesSettings, ImSettings
from gateway.file_links import Links
from gateway.im.accounts import account_commands
from gateway.im.addresses import addresses_commands
from gateway.im.apps import apps_of
from gateway.im.callbacks_out import CallbacksOut
from gateway.im.callbacks_out_commands import Unread, calling_back
from gateway.im.conversations import conversation_commands
from gateway.im.conversations_list import conversation_list_commands
from gateway.im.envelope import HTTP_STATUS, ImEnvelope
from gateway.im.extensions import extension_commands
from gateway.im.figures import figures_commands
from gateway.im.frame import PREFIX, Command, Frame
from gateway.im.history_files import history_file_commands
from gateway.im.labels import label_commands
from gateway.im.messages import message_commands
from gateway.im.messages_changes import message_change_commands
from gateway.im.messages_history import history_commands
from gateway.im.online import online_commands
from gateway.im.profiles import profile_commands
from gateway.im.pushes import push_commands
from gateway.im.services import NONE
from gateway.im.sns.commands import sns_commands
from gateway.system import System
from stores.im.conversations import is_unread, unread_after, unread_total
from stores.im.labels import forget_labels
from stores.im.relations_forget import forget_relations
from stores.mongo import Database

CONTRACTS = ("im.yaml", "im-accounts.yaml", "im-sns.yaml")


def im_commands(settings: ImSettings, database: Database, files: FilesSettings | None = None) -> Sequence[Command]:
    """The whole table, one line a module."""
    return (
        *account_commands(database, (forget_relations, forget_labels)),
        *profile_commands(database),
        *online_commands(database),
        *sns_commands(database),
        *message_commands(database),
        *message_change_commands(database),
        *history_commands(database, timedelta(days=settings.roaming_days)),
        *conversation_commands(database),
        *conversation_list_commands(database),
        *extension_commands(database),
        *label_commands(database),
        *push_commands(database),
        *figures_commands(database, settings),
        *history_file_commands(database, Links(files or FilesSettings())),
        *addresses_commands(settings.server_addresses),
    )


def im_system(
    settings: ImSettings, database: Database, net: Net | None = None, files: FilesSettings | None = None
) -> System:
    """`net` is what apps are called back by; None where nothing is sent."""
    frame = Frame(apps_of(settings), settings.calls_per_second)
    callbacks = CallbacksOut(settings, net)
    unread = Unread(partial(unread_total, database), partial(unread_after, database), partial(is_unread, database))
    commands = calling_back(im_commands(settings, database, files), callbacks, unread)
    unknown = ImEnvelope(NONE)
    return System(
        name="im",
        operations=tuple(frame.operation(command) for command in commands),
        succeed=unknown.succeed,
        refuse=unknown.refuse,
        fixed_status=HTTP_STATUS,
        prefix=PREFIX,
        any_content_type=True,
        contract=CONTRACTS,
    )
