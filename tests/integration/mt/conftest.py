"""One gateway a module for the tests of the metering platform; they keep apart by the ids they use."""

from collections.abc import AsyncIterator

import pytest
from mt_api import Portals, serving, with_metering

from config.settings import Settings
from stores.mongo import Database, open_database


@pytest.fixture(scope="module")
def mt_settings(shared_settings: Settings) -> Settings:
    return with_metering(shared_settings)


@pytest.fixture(scope="module")
async def portals(mt_settings: Settings) -> AsyncIterator[Portals]:
    async with serving(mt_settings) as portals:
        yield portals


@pytest.fixture(scope="module")
async def mt_database(mt_settings: Settings, portals: Portals) -> AsyncIterator[Database]:
    """The gateway's, to look into."""
    async with open_database(mt_settings.mongo) as database:
        yield database
