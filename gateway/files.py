"""Files handed out over HTTP, to whoever has a link: as a stream, whatever their size."""

from urllib.parse import quote

import msgspec

from config.settings import FilesSettings
from gateway.events import problem
from gateway.file_links import PATH, Links
from gateway.system import Answer, Call, Operation, Reply, System
from schemas.errors import Refused
from stores.files import Files, StoredFile


class Download(msgspec.Struct, frozen=True):
    file: StoredFile
    files: Files


def id_in(path: str) -> str:
    """The id in a path `/files/{id}`: all that follows, for ids have slashes."""
    return path.removeprefix(f"{PATH}/")


def answer(download: Download, status: int) -> Answer:
    file = download.file
    return Answer(
        status,
        b"",
        {
            "Content-Length": str(file.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
            "ETag": f'"{file.sha256}"',
            # Whoever keeps the answer keeps it for longer than the link is good.
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
        file.content_type,
        stream=download.files.read(file),
    )


def files_system(settings: FilesSettings, files: Files) -> System:
    links = Links(settings)

    def authenticate(call: Call) -> None:
        links.check(id_in(call.path), call.query, call.received_at)

    async def get(call: Call) -> Reply:
        file = await files.find(id_in(call.path), call.received_at)
        if file is None:
            raise Refused("not_found", "the file is not there: it is still being made, or its time is over")
        return Reply(Download(file, files))

    return System(
        name="files",
        prefix=PATH,
        operations=(Operation("getFile", "GET", f"{PATH}/{{id}}", get, authenticate, security=("link",)),),
        succeed=answer,
        refuse=problem,
        contract="files.yaml",
        security_schemes={"link": {"type": "apiKey", "in": "query", "name": "signature"}},
    )
