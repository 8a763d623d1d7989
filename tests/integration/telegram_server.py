"""Telegram's servers, played by the npm package telegram-test-api; and a person who talks to a bot through them.

Installed by npm beside Python's packages when it is first needed, in the versions of
telegram/package-lock.json. Without Node.js tests that need it are skipped, and fail where
`CI` is set.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from workers.embedded.child import Command, running
from workers.embedded.ports import LOOPBACK, answers, free_port

SOURCES = Path(__file__).parent / "telegram"
INSTALLED = Path(sys.prefix) / "telegram-test-api"
LOCK = "package-lock.json"


class TelegramServer:
    """What a bot sees at `url`, and what people do there. Chats are private: a chat's id is its person's."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._http = http

    async def set_webhook(self, url: str, secret: str) -> None:
        """Updates go there from now on."""
        await self._post(f"/bot{self.token}/setWebhook", {"url": url, "secret_token": secret})

    async def says(self, chat: int, text: str, **person: Any) -> None:
        """A person writes to the bot: a command, or anything else."""
        sender = {"id": chat, "is_bot": False, "first_name": "Lei", **person}
        await self._post(
            "/sendMessage",
            {
                "botToken": self.token,
                "date": int(time.time()),
                "from": sender,
                "chat": {"id": chat, "type": "private", "first_name": sender["first_name"]},
                "text": text,
            },
        )

    async def blocks(self, chat: int, *, silently: bool = False) -> None:
        """A person blocks the bot: whatever is sent there is answered 403. Unless `silently` an update says so."""
        await self._post("/block", {"token": self.token, "chatId": chat, "silently": silently})

    async def told(self, chat: int) -> list[dict[str, Any]]:
        """What the bot sent there, as it was asked to, the oldest first."""
        history = await self._post("/getUpdatesHistory", {"token": self.token})
        messages = [update["message"] for update in history["result"]]
        return [message for message in messages if str(message.get("chat_id")) == str(chat)]

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        async with self._http.post(self.url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def a_telegram_server(token: str = "1:a-token-nobody-must-see") -> AsyncIterator[TelegramServer]:
    await _install()
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"

    async def probe() -> str | None:
        return None if await answers(port) else f"nobody answers at {url}"

    # A webhook that refuses an update must not end the server.
    argv = ("node", "--unhandled-rejections=warn", str(INSTALLED / "server.js"), str(port))
    output = Path(tempfile.gettempdir()) / f"telegram-server-{port}"
    try:
        async with (
            running(Command(name="telegram", argv=argv, probe=probe, output=output)),
            aiohttp.ClientSession() as http,
        ):
            yield TelegramServer(http, url, token)
    finally:
        output.unlink(missing_ok=True)


async def _install() -> None:
    shutil.copy(SOURCES / "server.js", INSTALLED) if _is_installed() else await _install_packages()


def _is_installed() -> bool:
    kept = INSTALLED / LOCK
    return kept.exists() and kept.read_bytes() == (SOURCES / LOCK).read_bytes()


async def _install_packages() -> None:
    """In a folder of its own first: one that is there is whole."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        _missing("Node.js and npm are not installed")
    with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
        made = Path(folder) / "made"
        shutil.copytree(SOURCES, made)
        npm = await asyncio.create_subprocess_exec(
            *("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"),
            cwd=made,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await npm.communicate()
        if npm.returncode != 0:
            _missing(f"npm could not install telegram-test-api: {errors.decode(errors='replace')[-500:]}")
        shutil.rmtree(INSTALLED, ignore_errors=True)
        made.rename(INSTALLED)


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
