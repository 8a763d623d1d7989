"""Limit: the gateway's HTTP server with nothing behind it: reads the body, answers what the gateway answers.

Run as a process: `python -m bench.peers.noop_gateway PORT`.
"""

import asyncio
import sys

import uvloop
from aiohttp import web

from config.settings import GatewaySettings
from gateway.app import serving

ANSWER = b'{"accepted":1,"results":[{"id":"bench-1-123456","status":"accepted"}]}'


async def noop(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, status=202, content_type="application/json")


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_post("/events", noop)
    async with serving(app, GatewaySettings(port=port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
