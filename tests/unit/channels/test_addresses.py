from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.addresses import AddressRefused, addresses_of, check_address, is_public

PRIVATE_V4 = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba Cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's platform
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle Cloud's metadata
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
PRIVATE_V6 = [
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible, long deprecated
    "64:ff9b:1::7f00:1",  # NAT64 of local use
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::68"]

v4_addresses = st.one_of(st.ip_addresses(v=4), st.sampled_from(PRIVATE_V4).map(IPv4Address))


@pytest.mark.parametrize("address", PRIVATE_V4 + PRIVATE_V6)
def test_what_is_not_publicly_routed_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    check_address(address)


@given(v4_addresses)
def test_an_ipv6_address_that_wraps_an_ipv4_one_is_judged_by_it(inside: IPv4Address) -> None:
    mapped = IPv6Address(int(IPv6Address("::ffff:0:0")) | int(inside))
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) | int(inside))
    six_to_four = IPv6Address(int(IPv6Address("2002::")) | int(inside) << 80 | 1)

    assert [is_public(ip) for ip in (mapped, nat64, six_to_four)] == [is_public(inside)] * 3


@given(st.ip_addresses())
def test_what_python_holds_for_not_global_is_never_public(ip: IPv4Address | IPv6Address) -> None:
    if is_public(ip) and (isinstance(ip, IPv4Address) or not (ip.ipv4_mapped or ip.sixtofour)):
        assert ip.is_global or ip in ip_network("64:ff9b::/96")
        assert not any((ip.is_multicast, ip.is_loopback, ip.is_link_local, ip.is_unspecified))


def test_an_allowed_network_passes_and_its_neighbours_do_not() -> None:
    allowed = [ip_network("10.0.0.0/24"), ip_network("fd00::/64")]

    check_address("10.0.0.7", allowed)
    check_address("fd00::7", allowed)
    check_address("8.8.8.8", allowed)
    for outside in ("10.0.1.7", "fd00:0:0:1::7", "127.0.0.1"):
        with pytest.raises(AddressRefused):
            check_address(outside, allowed)


def test_an_allowed_ipv4_network_is_reached_by_its_mapped_addresses_and_by_no_gateway() -> None:
    loopback = [ip_network("127.0.0.0/8")]

    check_address("::ffff:127.0.0.1", loopback)
    with pytest.raises(AddressRefused):
        check_address("64:ff9b::7f00:1", loopback)


def test_a_refusal_says_always_the_same() -> None:
    texts = set()
    for address in PRIVATE_V4:
        with pytest.raises(AddressRefused) as caught:
            check_address(address)
        texts.add(str(caught.value))

    assert len(texts) == 1


def test_the_system_knows_the_addresses_of_this_machine() -> None:
    found = addresses_of("localhost")

    assert found
    assert all(ip_address(address).is_loopback for _, address in found)
