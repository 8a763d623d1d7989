"""Finds the channels: every module in `channels.ways` is one."""

import pkgutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib import import_module

from channels import ways as package
from channels.channel import Channel, Way
from channels.net import Net
from config.settings import Settings


@cache
def ways() -> dict[str, Way]:
    """Every channel by its name. Not to be changed: all callers are given the same."""
    found: dict[str, Way] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        way: Way = import_module(module.name).WAY
        if way.name in found:
            raise ValueError(f"two channels are named {way.name!r}")
        found[way.name] = way
    return found


@asynccontextmanager
async def open_channels(settings: Settings, net: Net) -> AsyncIterator[dict[str, Channel]]:
    """All channels, opened; closed in the opposite order."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(way.open(settings, net)) for name, way in ways().items()}
