"""Where pushes may go: addresses are looked at in the moment of connecting."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from channel_peers import LOOPBACK, Names, a_channel, a_net, a_peer, a_push, answering
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from channels.addresses import AddressRefused
from channels.channel import Came, Receipt, Target
from channels.http import post
from channels.signing import new_secret

SECRETS = (new_secret(),)
REFUSED = str(AddressRefused())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]"],
)
async def test_this_machine_is_refused_by_every_name(host: str) -> None:
    async with a_peer() as peer, a_channel("webhook", allow=()) as channel:
        receipt = await channel.send(a_push(), Target(address=f"http://{host}:{peer.port}/", secrets=SECRETS))

    assert (receipt.came, receipt.response) == (Came.REFUSED, REFUSED)
    assert not peer.got


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "127.0.0.1."])
async def test_old_ways_to_write_an_address_reach_nothing(host: str) -> None:
    async with a_peer() as peer, a_channel("webhook", allow=()) as channel:
        receipt = await channel.send(a_push(), Target(address=f"http://{host}:{peer.port}/", secrets=SECRETS))

    assert receipt.came in (Came.REFUSED, Came.RETRY)  # a name server may be asked for it, in vain
    assert not peer.got


async def test_an_address_inside_is_refused_without_a_connection() -> None:
    async with a_channel("webhook") as channel:
        for address in ("10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "100.100.100.200"):
            receipt = await channel.send(a_push(), Target(address=f"http://{address}/latest", secrets=SECRETS))
            assert (receipt.came, receipt.response) == (Came.REFUSED, REFUSED)


async def test_an_allowed_network_lets_through_and_no_more() -> None:
    async with a_peer() as peer, a_channel("webhook", allow=("127.0.0.1/32",)) as channel:
        inside = await channel.send(a_push(), Target(address=peer.url, secrets=SECRETS))
        outside = await channel.send(a_push(), Target(address=f"http://127.0.0.2:{peer.port}", secrets=SECRETS))

    assert [inside.came, outside.came] == [Came.DELIVERED, Came.REFUSED]
    assert len(peer.got) == 1


async def test_a_name_that_resolves_otherwise_the_second_time_is_refused() -> None:
    # 127.0.0.2 stands for a public address: it is the one that is allowed.
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with (
        a_peer(host="127.0.0.2") as public,
        a_peer() as inside,
        a_channel("webhook", allow=("127.0.0.2/32",), resolver=names) as channel,
    ):
        first = await channel.send(a_push(), Target(address=f"http://name.test:{public.port}", secrets=SECRETS))
        second = await channel.send(a_push(), Target(address=f"http://name.test:{inside.port}", secrets=SECRETS))

    assert [first.came, second.came] == [Came.DELIVERED, Came.REFUSED]
    assert not inside.got


async def test_of_several_addresses_of_a_name_only_good_ones_are_tried() -> None:
    async with (
        a_peer(host="127.0.0.2") as public,
        a_channel("webhook", allow=("127.0.0.2/32",), resolver=Names(["127.0.0.1", "127.0.0.2"])) as channel,
    ):
        receipt = await channel.send(a_push(), Target(address=f"http://name.test:{public.port}", secrets=SECRETS))

    assert receipt.came == Came.DELIVERED


async def test_a_name_with_several_addresses_inside_is_refused() -> None:
    names = Names(["10.0.0.1", "192.168.0.1", "::1"])
    async with a_channel("webhook", allow=(), resolver=names) as channel:
        receipt = await channel.send(a_push(), Target(address="http://name.test", secrets=SECRETS))

    assert (receipt.came, receipt.response) == (Came.REFUSED, REFUSED)


async def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    async with a_channel("webhook", resolver=Names([])) as channel:
        receipt = await channel.send(a_push(), Target(address="http://name.test", secrets=SECRETS))

    assert (receipt.came, receipt.response) == (Came.RETRY, "no connection: the name does not resolve")


async def test_where_nobody_listens_is_tried_again() -> None:
    async with a_peer() as peer:
        pass
    async with a_channel("webhook") as channel:
        receipt = await channel.send(a_push(), Target(address=peer.url, secrets=SECRETS))

    assert (receipt.came, receipt.response) == (Came.RETRY, "no connection: Connection refused")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with (
        a_peer() as inside,
        a_peer(answering(status, Location=f"{inside.url}/latest/meta-data")) as peer,
        a_channel("webhook") as channel,
    ):
        receipt = await channel.send(a_push(), Target(address=peer.url, secrets=SECRETS))

    assert (receipt.came, receipt.status) == (Came.REFUSED, status)
    assert not inside.got


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_peer() as proxy, a_peer() as peer:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with a_channel("webhook") as channel:
            receipt = await channel.send(a_push(), Target(address=peer.url, secrets=SECRETS))

    assert receipt.came == Came.DELIVERED
    assert not proxy.got


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    port = server.sockets[0].getsockname()[1]
    async with server, a_net(LOOPBACK) as net:
        receipt = await post(net, URL(f"https://127.0.0.1:{port}/"), b"{}", {})

    assert isinstance(receipt, Receipt)
    assert (receipt.came, receipt.response) == (
        Came.RETRY,
        "no connection: TLS failed, or the certificate is not to be trusted",
    )


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
