"""The apps that may call: each a tenant with a key, its admins, and the profile fields it made up."""

from collections.abc import Mapping

import msgspec

from config.settings import ImSettings

PROFILE_CUSTOM = "Tag_Profile_Custom_"


class App(msgspec.Struct, frozen=True):
    """`id` is the SDKAppID, as text: what every document id of the app begins with."""

    id: str
    key: str
    admins: frozenset[str]
    custom_tags: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"App({self.id!r})"


def apps_of(settings: ImSettings) -> Mapping[str, App]:
    return {
        app_id: App(
            app_id,
            app.key.get_secret_value(),
            frozenset(app.admins),
            frozenset(PROFILE_CUSTOM + name for name in app.profile_custom),
        )
        for app_id, app in settings.apps.items()
    }
