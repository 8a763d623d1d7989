"""One gateway a module for the tests of the IM server API; they keep apart by their user ids."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from im_api import OTHER_APP, OTHER_KEY, ImApi, serving_im, with_im

from config.settings import Settings
from stores.mongo import Database, open_database


@pytest.fixture(scope="module")
def im_settings(shared_settings: Settings) -> Settings:
    return with_im(shared_settings)


@pytest.fixture(scope="module")
async def im_http(im_settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving_im(im_settings) as http:
        yield http


@pytest.fixture(scope="module")
async def im_database(im_settings: Settings, im_http: aiohttp.ClientSession) -> AsyncIterator[Database]:
    """The gateway's, to look into."""
    async with open_database(im_settings.mongo) as database:
        yield database


@pytest.fixture
def im(im_http: aiohttp.ClientSession) -> ImApi:
    """An admin."""
    return ImApi(im_http)


@pytest.fixture
def other(im_http: aiohttp.ClientSession) -> ImApi:
    """An admin of another app."""
    return ImApi(im_http, OTHER_APP, OTHER_KEY)
