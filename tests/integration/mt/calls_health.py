"""The walk's call of crm/api/health."""

from mt_api import Portals
from mt_contract import Builder, Request


async def health(_portals: Portals) -> list[Request]:
    return [Request()]


CALLS: dict[str, Builder] = {"crmApiHealth": health}
