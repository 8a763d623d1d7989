"""/mt/crm/api/health: whether the platform answers."""

from collections.abc import Sequence

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Answer, Reply
from stores.mongo import Database, translated


class Health:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, _asked: Asked) -> Reply:
        """Answers when the store does; else the call is refused as store_away."""
        with translated():
            await self._database.command("ping")
        return Reply(Answer(200, b"ok", content_type="text/plain"))


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Health(tools.database)
    return (MtOperation("crmApiHealth", "GET", "/mt/crm/api/health", own.check),)
