"""Which network addresses a push may go to: those of the public internet, and those the operator allows.

Whoever registers an endpoint names an address that this process then calls, from
inside the operator's network. So what is not publicly routed is refused: private,
loopback, link-local, shared (RFC 6598), multicast, reserved and documentation
networks (IANA special-purpose address registries), and the metadata services of
clouds. An IPv6 address that only wraps an IPv4 one is judged by what is inside.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# Named here besides what `is_global` knows: Python's lists differ between its patch releases.
REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "100.64.0.0/10",  # shared by carriers; Alibaba Cloud's metadata too
        "168.63.129.16/32",  # Azure's platform address: public by its number, the host by what it does
        "192.0.0.0/24",  # IETF protocol assignments; Oracle Cloud's metadata
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/3",  # multicast and reserved
    )
)
PUBLIC_V6 = IPv6Network("2000::/3")
REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """A push may not go to this address. An OSError, since it is raised where connections are made."""

    def __init__(self) -> None:
        # Always the same text: aiohappyeyeballs keeps the type only where all addresses of a name failed alike.
        super().__init__("the address is not public, and push.allow_networks does not name it")


def check_address(address: str, allowed: Iterable[Network] = ()) -> None:
    """Raise AddressRefused unless pushes may go to this IP address. A scope (`fe80::1%eth0`) is let pass."""
    ip = unmapped(ip_address(address))
    if not is_public(ip) and not any(ip in network for network in allowed):
        raise AddressRefused


def addresses_of(host: str, family: int = socket.AF_UNSPEC) -> list[tuple[socket.AddressFamily, str]]:
    """What the system knows of a name, best first; blocks. Raises OSError where there is nothing."""
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, str(address[0])) for family, _, _, _, address in found]


def is_public(ip: Address) -> bool:
    """Whether it is reached by way of the public internet, and is nobody's inside."""
    if isinstance(ip, IPv4Address):
        return ip.is_global and not any(ip in network for network in REFUSED_V4)
    inside = wrapped(ip)
    if inside is not None:
        return is_public(inside)
    return ip in PUBLIC_V6 and ip.is_global and not any(ip in network for network in REFUSED_V6)


def unmapped(ip: Address) -> Address:
    """An IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is that IPv4 address: the connection is the same."""
    return ip if isinstance(ip, IPv4Address) else ip.ipv4_mapped or ip


def wrapped(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway on the way unwraps: mapped, 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
