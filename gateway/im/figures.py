"""openconfigsvr/getappinfo: an app's figures, day by day."""

from collections.abc import Mapping, Sequence
from typing import get_args

from config.settings import ImSettings
from gateway.im.frame import Caller, Command
from gateway.im.services import CONFIG
from gateway.system import Reply
from schemas.im.figures import AppInfo, Day, GetAppInfo, Name, last_days
from stores.im.figures import Figures, figures_of
from stores.mongo import Database

ALL: tuple[str, ...] = get_args(Name)


class DailyFigures:
    def __init__(self, database: Database, settings: ImSettings) -> None:
        self._database = database
        self._apps = settings.apps

    async def get(self, caller: Caller, body: GetAppInfo) -> Reply:
        app, days = caller.app.id, list(last_days(caller.at))
        found = await figures_of(self._database, app, days)
        # Today is told of in any case; of others those of which something is known.
        found.setdefault(days[0], Figures())
        named = self._apps[app]
        wanted = ALL if body.request_field is None else ("Date", *body.request_field)
        told = [values(app, named.name, named.company, day, found[day]) for day in sorted(found, reverse=True)]
        return Reply(AppInfo(result=[{name: day[name] for name in dict.fromkeys(wanted)} for day in told]))


def values(app: str, name: str, company: str, day: Day, figures: Figures) -> Mapping[str, str]:
    """All fields of a day. There are no groups, so nothing happens in any: theirs are 0."""
    numbers = {
        "ActiveUserNum": figures.active_users,
        "RegistUserNumOneDay": figures.registered,
        "RegistUserNumTotal": figures.registered_before + figures.registered,
        "LoginTimes": figures.logins,
        "LoginUserNum": figures.login_users,
        "UpMsgNum": figures.messages,
        "SendMsgUserNum": figures.senders,
        "APNSMsgNum": figures.pushes,
        "C2CUpMsgNum": figures.messages,
        # Each is delivered to one.
        "C2CDownMsgNum": figures.messages,
        "C2CSendMsgUserNum": figures.senders,
        "C2CAPNSMsgNum": figures.pushes,
        "MaxOnlineNum": figures.max_online,
        "DownMsgNum": figures.messages,
        "ChainIncrease": figures.friends_added,
        "ChainDecrease": figures.friends_deleted,
        "CallBackReq": figures.callbacks,
        "CallBackRsp": figures.callbacks_taken,
        **dict.fromkeys((field for field in ALL if field.startswith("Group")), 0),
    }
    texts = {"AppName": name, "AppId": app, "Company": company, "Date": str(day)}
    return texts | {field: str(number) for field, number in numbers.items()}


def figures_commands(database: Database, settings: ImSettings) -> Sequence[Command]:
    return (
        Command(
            operation_id="imGetAppInfo",
            service=CONFIG,
            name="getappinfo",
            body=GetAppInfo,
            handle=DailyFigures(database, settings).get,
            info="OK",
        ),
    )
