"""The systems this gateway speaks for: the whole list."""

from channels.net import Net
from config.settings import Settings
from config.topics import EVENT_TYPES
from gateway.chat import chat_system
from gateway.contact_binding import contact_binding_system
from gateway.dead_letters import dead_letters_system
from gateway.deliveries import deliveries_system
from gateway.endpoints import endpoints_system
from gateway.events import events_system
from gateway.files import files_system
from gateway.im.callbacks_in import im_callbacks_system
from gateway.im.system import im_system
from gateway.inbox import inbox_system
from gateway.jobs import jobs_system
from gateway.mt.system import mt_system
from gateway.payments import payments_system
from gateway.preferences import preferences_system
from gateway.system import System
from gateway.tg_binding import tg_binding_system
from gateway.tg_updates import tg_updates_system
from stores.dead_letters import DeadLetters
from stores.delivery_desk import DeliveryDesk
from stores.endpoints import Endpoints
from stores.files import Files
from stores.job_desk import JobDesk
from stores.mongo import Database
from stores.usage.personal import SETTING as PERSONAL_KEYS
from stores.vault import Vault
from streams.records import open_sender


def systems(settings: Settings, database: Database, net: Net | None = None) -> tuple[System, ...]:
    """`net` is what calls go out by; None where nothing is sent, only described."""
    endpoints, deliveries = Endpoints(database, Vault(settings.push.secrets_keys)), DeliveryDesk(database)
    return (
        chat_system(settings.chat, database),
        im_system(settings.im, database, net, settings.files),
        im_callbacks_system(settings.im),
        mt_system(settings, database, net),
        payments_system(settings.metering),
        tg_binding_system(settings, database),
        tg_updates_system(settings.telegram, database),
        contact_binding_system(settings.contact_binding, database),
        endpoints_system(settings.push, endpoints, deliveries),
        deliveries_system(settings.push, deliveries, endpoints),
        preferences_system(settings.push, database),
        inbox_system(settings.push, database),
        dead_letters_system(
            settings.operators,
            DeadLetters(database),
            lambda: open_sender(settings.kafka),
            Vault(settings.metering.secrets_keys, PERSONAL_KEYS).unseal,
        ),
        files_system(settings.files, Files(database)),
        jobs_system(settings.operators, JobDesk(database)),
        events_system(settings.events, EVENT_TYPES),
    )
