"""Ports of the loopback interface: a free one, whether one can be had, whether somebody answers."""

import asyncio
import socket

LOOPBACK = "127.0.0.1"


_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on at the moment, each time another; another program may still take it first."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        # The kernel soon offers the same port again, and whoever got it the first time may not listen yet.
        if port not in _given:
            _given.add(port)
            return port


def listening_error(host: str, port: int) -> OSError | None:
    """What would keep a server from listening there."""
    with socket.socket() as probe:
        # As servers do: connections that linger after a stop do not keep a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        return None


async def answers(port: int) -> bool:
    """Whether somebody accepts connections at the port."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return False
    return True
