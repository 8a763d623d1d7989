"""The embedded store's address."""

from config.settings import MongoSettings
from stores.mongo import open_database
from workers.embedded import secantus


async def test_the_driver_is_told_not_to_have_writes_remembered() -> None:
    """The store slows down with each write that it remembers."""
    settings = MongoSettings.model_validate({"uri": secantus.uri(4711)})

    async with open_database(settings) as database:
        assert database.client.options.retry_writes is False


def test_the_port_is_found_in_an_address() -> None:
    assert secantus.port_of(secantus.uri(4711)) == 4711
