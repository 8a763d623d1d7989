"""Files that jobs make: whole or not there, replaced at once, handed out by links, and gone in the end."""

import gzip
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from config.settings import FilesSettings, Settings
from gateway.file_links import Links, Promised
from schemas.errors import Refused
from stores.collections import FILE_CONTENTS, FILES
from stores.files import ABANDONED, FileGone, Files, StoredFile
from stores.mongo import Database
from workers.sweeping import SWEEP_SECONDS, Sweeper

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=7)
KEY = "a key for the links of the tests, long"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def cut_off(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    raise ConnectionResetError


async def write(files: Files, file_id: str, *parts: bytes, now: datetime = NOW) -> StoredFile:
    return await files.write(
        file_id, pieces(*parts), name="a name.txt", content_type="text/plain", now=now, expires_at=LATER
    )


async def content(files: Files, file: StoredFile) -> bytes:
    return b"".join([chunk async for chunk in files.read(file)])


async def kept_bytes(database: Database) -> int:
    return sum([len(chunk["data"]) async for chunk in database[f"{FILE_CONTENTS}.chunks"].find({})])


@pytest.fixture
def files(database: Database) -> Files:
    return Files(database)


async def test_what_is_written_in_pieces_is_read_whole(files: Files) -> None:
    parts = [os.urandom(300_000) for _ in range(3)]

    made = await write(files, "one", *parts)

    found = await files.find("one", NOW)
    assert found == made
    assert (found.size, await content(files, found)) == (900_000, b"".join(parts))


async def test_a_file_may_be_empty(files: Files) -> None:
    made = await write(files, "none")

    assert (made.size, await content(files, made)) == (0, b"")


async def test_a_file_that_is_being_written_is_not_there_yet_and_the_old_one_still_is(
    files: Files, database: Database
) -> None:
    with pytest.raises(ConnectionResetError):
        await files.write(
            "new", cut_off(b"a" * 600_000), name="x", content_type="text/plain", now=NOW, expires_at=LATER
        )
    old = await write(files, "old", b"as it was")
    with pytest.raises(ConnectionResetError):
        await files.write(
            "old", cut_off(b"b" * 600_000), name="x", content_type="text/plain", now=NOW, expires_at=LATER
        )

    assert await files.find("new", NOW) is None
    assert await files.find("old", NOW) == old
    assert await content(files, old) == b"as it was"
    await files.sweep(NOW + ABANDONED + timedelta(seconds=1))
    assert await kept_bytes(database) == len(b"as it was")


async def test_writing_again_replaces_and_leaves_nothing_behind(files: Files, database: Database) -> None:
    first = await write(files, "one", b"the first")
    second = await write(files, "one", b"2")

    assert await files.find("one", NOW) == second
    assert await content(files, second) == b"2"
    with pytest.raises(FileGone):
        await content(files, first)
    assert await kept_bytes(database) == 1


async def test_files_whose_time_is_over_go_and_others_stay(files: Files, database: Database) -> None:
    await write(files, "one", b"x" * 300_000)
    await files.write("two", pieces(b"y"), name="y", content_type="a/b", now=NOW, expires_at=LATER + timedelta(days=1))

    assert await files.find("one", LATER) is None
    assert await files.sweep(LATER) == 1
    assert await files.find("two", LATER) is not None
    assert await kept_bytes(database) == 1
    assert await database[FILES].count_documents({}) == 1


async def test_the_clock_sweeps_once_a_minute(files: Files) -> None:
    seconds = [0.0]
    sweeper = Sweeper(files, lambda: seconds[0])

    async def there(file_id: str) -> bool:
        await write(files, file_id, b"x")
        await sweeper.tick(LATER)
        return await files.find(file_id, NOW) is not None

    assert not await there("first")
    seconds[0] += SWEEP_SECONDS - 1
    assert await there("soon after")
    seconds[0] += 1
    assert not await there("a minute after")


async def test_a_file_that_is_deleted_is_gone_with_its_bytes(files: Files, database: Database) -> None:
    await write(files, "one", b"x")
    await files.delete("one")
    await files.delete("one")

    assert await files.find("one", NOW) is None
    assert await kept_bytes(database) == 0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "files": {"link_key": KEY}})


async def test_whoever_has_the_link_gets_the_file(gateway: str, settings: Settings, files: Files) -> None:
    body = os.urandom(1_000_000)
    file = await write(files, "statements/7/2026-03", body)
    url = Links(settings.files).make(file, NOW).url.replace(settings.files.public_url, gateway)

    async with aiohttp.ClientSession() as http, http.get(_as_it_is(url)) as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%20name.txt"
        assert answer.content_length == len(body)
        assert await answer.read() == body


async def test_a_gzip_file_arrives_as_a_gzip_file(gateway: str, settings: Settings, files: Files) -> None:
    body = gzip.compress(b"hello")
    file = await files.write("h", pieces(body), name="h.gz", content_type="application/gzip", now=NOW, expires_at=LATER)
    url = Links(settings.files).make(file, NOW).url.replace(settings.files.public_url, gateway)

    async with aiohttp.ClientSession() as http, http.get(_as_it_is(url)) as answer:
        assert await answer.read() == body
    async with aiohttp.ClientSession() as http, http.head(_as_it_is(url)) as answer:
        assert (answer.status, answer.content_length) == (200, len(body))


async def test_a_link_that_was_changed_or_is_over_opens_nothing(gateway: str, settings: Settings, files: Files) -> None:
    links = Links(settings.files)
    file = await write(files, "one", b"x")
    await write(files, "two", b"y")
    good = links.make(file, NOW).url.replace(settings.files.public_url, gateway)
    over = links.make(file, NOW - timedelta(hours=2)).url.replace(settings.files.public_url, gateway)
    await files.delete("two")
    gone = links.make(await write(files, "three", b"z"), NOW).url.replace(settings.files.public_url, gateway)
    await files.delete("three")

    async with aiohttp.ClientSession() as http:
        for url, status in (
            (good.replace("/one?", "/two?"), 403),
            (good.replace("expires=", "expires=9"), 403),
            (good.partition("&")[0], 403),
            (good.partition("?")[0], 403),
            (over, 403),
            (gone, 404),
        ):
            async with http.get(_as_it_is(url)) as answer:
                assert (answer.status, answer.content_type) == (status, "application/problem+json"), url


async def test_a_file_that_goes_while_it_is_sent_does_not_look_complete(
    gateway: str, settings: Settings, files: Files, database: Database
) -> None:
    file = await write(files, "one", b"x" * 3_000_000)
    await database[f"{FILE_CONTENTS}.chunks"].delete_many({"n": {"$gte": 5}})
    url = Links(settings.files).make(file, NOW).url.replace(settings.files.public_url, gateway)

    async with aiohttp.ClientSession() as http, http.get(_as_it_is(url)) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


def test_a_link_is_good_no_longer_than_its_file() -> None:
    links = Links(FilesSettings.model_validate({"link_key": KEY, "link_seconds": 3600}))
    file = StoredFile(
        id="a/b",
        name="n",
        content_type="a/b",
        size=1,
        sha256="",
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
        version="",
    )

    assert links.make(file, NOW).expires_at == NOW + timedelta(seconds=60)
    assert links.make(file, NOW - timedelta(days=1)).expires_at == NOW - timedelta(days=1) + timedelta(hours=1)


def test_the_link_of_a_file_that_is_promised_is_good_as_long_as_the_file() -> None:
    links = Links(FilesSettings.model_validate({"link_key": KEY, "link_seconds": 3600}))
    link = links.promise(Promised("a/b", LATER))
    query = aiohttp.client.URL(link.url).query

    assert link.expires_at == LATER
    links.check("a/b", query, NOW + timedelta(hours=2))
    with pytest.raises(Refused):
        links.check("a/b", query, LATER)
    with pytest.raises(Refused):
        links.check("a/c", query, NOW)


def _as_it_is(url: str) -> "aiohttp.client.URL":
    """Sent without being encoded anew."""
    return aiohttp.client.URL(url, encoded=True)
