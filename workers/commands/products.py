"""`fanfold products docs`: the documents of products that the public site shows, from a file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from config.settings import Settings
from schemas.mt.api_docs import ApiDoc
from stores.mongo import open_database
from stores.mt.api_docs import put_doc
from stores.mt.products import products_of
from workers.commands.console import fail, out


def read_documents(file: Path) -> list[ApiDoc]:
    """Ends the command where the file holds none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[ApiDoc])
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        fail(f"{file}: {error}")


async def put_documents(settings: Settings, documents: Sequence[ApiDoc]) -> None:
    """All of them or, if one is of no product, none."""
    async with open_database(settings.mongo) as database:
        known = await products_of(database, [document.check_item for document in documents])
        if missing := sorted({document.check_item for document in documents} - known.keys()):
            fail(f"There is no product {', '.join(missing)}.")
        for document in documents:
            await put_doc(database, document, datetime.now(UTC))
    out().print(f"{len(documents)} documents put.", markup=False)
