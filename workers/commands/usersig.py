"""`fanfold usersig`: a UserSig for trying the IM server API with curl."""

from collections.abc import Mapping
from datetime import datetime

from config.settings import ImApp
from schemas.im import usersig
from workers.commands.console import MISUSED, fail

EXAMPLE = """FANFOLD_IM__APPS='{"1400000001":{"key":"...","admins":["administrator"]}}'"""


def user_sig(
    apps: Mapping[str, ImApp], app: str | None, identifier: str | None, now: datetime, expire_seconds: int
) -> str:
    """For an account of an app, its first admin where none is named. Ends the command with a sentence."""
    if not apps:
        fail(f"No app is set. Set one: {EXAMPLE}", MISUSED)
    chosen = app or next(iter(apps))
    if chosen not in apps:
        fail(f"No app {chosen} is set; there are: {', '.join(apps)}", MISUSED)
    caller = identifier or apps[chosen].admins[0]
    return usersig.make(apps[chosen].key.get_secret_value(), chosen, caller, int(now.timestamp()), expire_seconds)
