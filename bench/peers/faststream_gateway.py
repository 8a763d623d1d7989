"""Peer: FastAPI and FastStream doing what `POST /events` does for an event in binary mode.

Checks the token, validates attributes and data, publishes with `acks=all`, awaits the
acknowledgement, answers. Run as a process: `python -m bench.peers.faststream_gateway PORT BOOTSTRAP TOPIC`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Annotated, Literal

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from faststream.kafka import KafkaBroker
from pydantic import BaseModel, Field

Key = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=4096)] | None


class SessionChanged(BaseModel):
    user_id: Key
    online: bool
    cause: Literal["callback", "command"]
    request_id: Text = None
    login_type: Text = None
    automatic_logon: bool | None = None
    user_name: Text = None
    corp_id: Text = None
    corp_name: Text = None
    name: Text = None
    real_name: Text = None
    email: Text = None
    mobile: Text = None
    avatar: Text = None
    qr_code: Text = None
    seat_no: Text = None


def authorized(authorization: Annotated[str, Header()] = "") -> None:
    if not compare_digest(authorization.encode(), b"Bearer bench"):
        raise HTTPException(401)


def build(bootstrap: str, topic: str) -> FastAPI:
    broker = KafkaBroker(bootstrap, acks="all", logger=None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with broker:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/events", status_code=202, dependencies=[Depends(authorized)])
    async def publish(
        body: SessionChanged,
        ce_specversion: Annotated[Literal["1.0"], Header()],
        ce_id: Annotated[Key, Header()],
        ce_source: Annotated[Key, Header()],
        ce_type: Annotated[Literal["account.session.changed"], Header()],
        ce_subject: Annotated[Key, Header()],
    ) -> dict[str, object]:
        headers = {
            "ce_specversion": ce_specversion,
            "ce_id": ce_id,
            "ce_source": ce_source,
            "ce_type": ce_type,
            "ce_subject": ce_subject,
            "ce_time": datetime.now(UTC).isoformat(),
        }
        await broker.publish(body, topic, key=ce_subject.encode(), headers=headers)
        return {"accepted": 1, "results": [{"id": ce_id, "status": "accepted"}]}

    return app


if __name__ == "__main__":
    app = build(*sys.argv[2:4])
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
