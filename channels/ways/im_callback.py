"""Callbacks of the IM server, to the URL that an app has in the settings.

A message's body is the callback's own JSON, its kind the command; `fields` has `client_ip` and
`platform`. The target is an app's SDKAppID: the URL, which may hold a key, is looked up when
it is sent, so none is stored and what waits goes where the settings then say. Any 2xx is
taken: what an app answers to an after-callback is ignored (contracts/im-semantics.md, section 15).
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from yarl import URL

from channels.channel import Came, Channel, Message, Receipt, Target, Way
from channels.http import JSON, http_url, judge, post
from channels.net import Net
from config.settings import ImCallbacksOut, ImSettings, Settings
from schemas.im.callbacks import sign

NAME = "im_callback"
API = "RESTAPI"
HEADERS = {"Content-Type": JSON}


def callback_url(out: ImCallbacksOut, app: str, command: str, client_ip: str, platform: str, now: float) -> URL:
    """The app's URL with the query of this callback; signed where the app has a token."""
    query = {
        "SdkAppid": app,
        "CallbackCommand": command,
        "contenttype": "json",
        "ClientIP": client_ip,
        "OptPlatform": platform,
    }
    if out.token is not None:
        request_time = str(int(now))
        query |= {"RequestTime": request_time, "Sign": sign(out.token.get_secret_value(), request_time)}
    return http_url(out.url.get_secret_value()).update_query(query)


class ImCallback:
    def __init__(self, net: Net, apps: Mapping[str, ImCallbacksOut], clock: Callable[[], float] = time.time) -> None:
        self._net = net
        self._apps = apps
        self._clock = clock

    async def send(self, message: Message, target: Target) -> Receipt:
        app = target.address
        out = self._apps.get(app)
        if out is None:
            return Receipt(came=Came.REFUSED, response="the app has no callbacks_out")
        client_ip, platform = (str(message.fields.get(name, "")) for name in ("client_ip", "platform"))
        try:
            url = callback_url(out, app, message.kind, client_ip, platform, self._clock())
        except ValueError as error:
            return Receipt(came=Came.REFUSED, response=f"the app's callback URL is not usable: {error}")
        answer = await post(self._net, url, (message.body or "").encode(), HEADERS)
        if isinstance(answer, Receipt):
            return answer
        # A key in the URL is not to stand in what is kept of an answer that repeats it.
        return judge(answer, hide=tuple(http_url(out.url.get_secret_value()).query.values()))


def apps_called_back(settings: ImSettings) -> Mapping[str, ImCallbacksOut]:
    """By SDKAppID, those that have a callback URL."""
    return {app_id: app.callbacks_out for app_id, app in settings.apps.items() if app.callbacks_out is not None}


@asynccontextmanager
async def open_im_callback(settings: Settings, net: Net) -> AsyncIterator[Channel]:
    yield ImCallback(net, apps_called_back(settings.im))


WAY = Way(
    NAME,
    open_im_callback,
    configured=lambda settings: bool(apps_called_back(settings.im)),
    # Those of one conversation go one after another whatever this says.
    concurrency=16,
)
