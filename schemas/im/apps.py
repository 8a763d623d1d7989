"""An app: the tenant that a call is for."""

from datetime import timedelta

import msgspec


class App(msgspec.Struct, frozen=True):
    """`id` is the SDKAppID, as text: what every document id of the app begins with."""

    id: str
    key: str
    admins: frozenset[str]
    custom_tags: frozenset[str] = frozenset()
    """Profile fields that the app made up, Tag_Profile_Custom_*."""
    sns_tags: frozenset[str] = frozenset()
    """Fields of friends that the app made up, Tag_SNS_Custom_*."""

    pushes_per_day: int = 100
    """0: it may not push at all."""
    between_pushes: timedelta = timedelta(seconds=1)
    """From one to the next at least."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"App({self.id!r})"
