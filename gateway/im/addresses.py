"""ConfigSvc/GetIPList: the servers' addresses, for the firewalls of those who call and are called back."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from gateway.im.frame import Caller, Command
from gateway.im.services import ADDRESSES
from gateway.system import Reply
from schemas.im.addresses import Addresses
from schemas.im.bodies import Nothing


def addresses_commands(networks: Iterable[IPv4Network | IPv6Network]) -> Sequence[Command]:
    answer = Reply(Addresses(ip_list=tuple(_shortest(network) for network in networks)))

    async def get_ip_list(_caller: Caller, _body: Nothing) -> Reply:
        return answer

    return (Command(operation_id="imGetIPList", service=ADDRESSES, name="GetIPList", body=Nothing, handle=get_ip_list),)


def _shortest(network: IPv4Network | IPv6Network) -> str:
    """A single address without its mask, as the API writes it."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)
