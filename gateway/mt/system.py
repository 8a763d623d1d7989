"""The metering platform's portals: all operations that are served."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from channels.net import Net
from config.settings import Settings
from gateway.mt import operations
from gateway.mt.access import Access
from gateway.mt.envelope import MtEnvelope
from gateway.mt.frame import SECURITY, Frame, MtOperation, Tools
from gateway.system import System
from schemas.mt.common import Zone
from stores.mongo import Database
from stores.mt.customers import customers_of
from stores.mt.sessions import Sessions
from stores.vault import Vault

CONTRACT = "metering.yaml"
PREFIX = "/mt/"
SETTING = "FANFOLD_METERING__SECRETS_KEYS"


def mt_operations(tools: Tools) -> Sequence[MtOperation]:
    """Of all modules of `gateway.mt.operations`."""
    found = sorted(pkgutil.iter_modules(operations.__path__), key=lambda module: module.name)
    modules = [import_module(f"{operations.__name__}.{module.name}") for module in found]
    return [operation for module in modules for operation in module.operations(tools)]


def mt_system(settings: Settings, database: Database, net: Net | None = None) -> System:
    """`net` is what calls of others go out by; None where nothing is sent, only described."""
    metering = settings.metering
    tools = Tools(settings, database, Zone(metering.zone), Vault(metering.secrets_keys, SETTING), net)
    frame = Frame(Access(metering, Sessions(database).principal, lambda user: customers_of(database, user)))
    described = MtEnvelope({}, "")
    return System(
        name="metering",
        operations=tuple(frame.route(operation) for operation in mt_operations(tools)),
        succeed=described.succeed,
        refuse=described.refuse,
        envelope=MtEnvelope,
        prefix=PREFIX,
        contract=CONTRACT,
        security_schemes={SECURITY: {"type": "http", "scheme": "bearer"}},
    )
