"""A database whose writer, in another process, dies, falls asleep, or is overtaken before a write."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from schemas.errors import StoreAway
from stores.mongo import Database

WRITES = frozenset({"bulk_write", "update_one", "insert_one", "replace_one", "delete_many", "delete_one"})


class CutOff:
    """Carries out so many writes; at the next one its writer is gone, and never writes again."""

    def __init__(self, database: Database, writes: int) -> None:
        self._database = database
        self.name = f"{database.name} of another process"
        self._left = writes

    async def before_write(self, _collection: str) -> None:
        if self._left == 0:
            raise StoreAway("cut off")
        self._left -= 1

    def __getitem__(self, name: str) -> "_Watched":
        return _Watched(self._database[name], name, self)


class Asleep:
    """Falls asleep before its first write to one collection, until it is woken."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self.name = f"{database.name} of another process"
        self._collection = collection
        self.fell_asleep = asyncio.Event()
        self.awake = asyncio.Event()

    async def before_write(self, collection: str) -> None:
        if collection == self._collection:
            self.fell_asleep.set()
            await self.awake.wait()

    def __getitem__(self, name: str) -> "_Watched":
        return _Watched(self._database[name], name, self)


class Overtaken:
    """Somebody else is always faster: `overtake` is carried out before each write."""

    def __init__(self, database: Database, overtake: Callable[[], Awaitable[Any]]) -> None:
        self._database = database
        self.name = f"{database.name} of another process"
        self._overtake = overtake

    async def before_write(self, _collection: str) -> None:
        await self._overtake()

    def __getitem__(self, name: str) -> "_Watched":
        return _Watched(self._database[name], name, self)


class _Watched:
    def __init__(self, collection: Any, name: str, watcher: CutOff | Asleep | Overtaken) -> None:
        self._collection = collection
        self._name = name
        self._watcher = watcher

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._collection, method)
        if method not in WRITES:
            return real

        async def write(*args: Any, **kwargs: Any) -> Any:
            await self._watcher.before_write(self._name)
            return await real(*args, **kwargs)

        return write
