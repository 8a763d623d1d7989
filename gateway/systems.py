"""The systems this gateway speaks for: the whole list."""

from config.settings import Settings
from config.topics import EVENT_TYPES
from gateway.events import events_system
from gateway.system import System


def systems(settings: Settings) -> tuple[System, ...]:
    return (events_system(settings.events, EVENT_TYPES),)
