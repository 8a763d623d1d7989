"""Presence: where an account is online, one document an account, keyed APP/USER.

- `platforms.PLATFORM`: a register, `Latest(at, {"status": Status, "instance": ...})`, of what
  was last heard of the account there; PLATFORM is as `schemas.im.online.platform_of` names it;
- `ended_at`: what was heard up to then is over on all platforms.
"""

from handlers.effects import Effect, Max
from handlers.outcome import Outcome
from schemas.events import Event
from schemas.im.accounts import AccountDeleted, AccountKicked

PRESENCE = "im_presence"


def end_presence(event: Event, ended: AccountKicked | AccountDeleted) -> Outcome:
    """The account is offline everywhere, until it is heard of again."""
    return Outcome(effects=(Effect(PRESENCE, ended.account, {"ended_at": Max(event.time)}),))
