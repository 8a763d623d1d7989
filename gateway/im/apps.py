"""The apps that may call, from the settings."""

from collections.abc import Mapping
from datetime import timedelta

from config.settings import ImSettings
from schemas.im.apps import App
from schemas.im.profiles import CUSTOM
from schemas.im.sns_fields import CUSTOM as SNS_CUSTOM


def apps_of(settings: ImSettings) -> Mapping[str, App]:
    """By SDKAppID."""
    return {
        app_id: App(
            app_id,
            app.key.get_secret_value(),
            frozenset(app.admins),
            frozenset(CUSTOM + name for name in app.profile_custom),
            frozenset(SNS_CUSTOM + name for name in app.sns_custom),
            app.pushes_per_day,
            timedelta(seconds=app.seconds_between_pushes),
        )
        for app_id, app in settings.apps.items()
    }
