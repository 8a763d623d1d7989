"""Requests to synchronise report templates: remembered, so that one counts once; done elsewhere."""

from handlers.outcome import Outcome
from schemas.events import Event
from schemas.report_templates import TemplateSyncRequested


def remember_template_sync(_event: Event, _requested: TemplateSyncRequested) -> Outcome:
    """Nothing is folded of it."""
    return Outcome()
