"""/mt/crm/api/historyRsTemplateSync: whoever keeps report templates is told to take old ones over."""

from collections.abc import Sequence

from ulid import ULID

from gateway.mt.facts import fact
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from schemas.mt.records import TemplateSyncRequest
from schemas.report_templates import TemplateSyncRequested


async def sync(asked: Asked) -> Reply:
    """Answered when the event is published; what becomes of it is the receiver's."""
    wanted: TemplateSyncRequest = asked.body
    requested = TemplateSyncRequested(
        key="all" if wanted.user_id is None else str(wanted.user_id),
        user_id=wanted.user_id,
        template_ids=tuple(wanted.template_ids or ()),
        by=asked.principal.user_id,
    )
    event_id = str(ULID.from_datetime(asked.at))
    return Reply(facts=(fact(asked, "report.templates.sync.requested", requested.key, requested, event_id),))


def operations(_tools: Tools) -> Sequence[MtOperation]:
    path = "/mt/crm/api/historyRsTemplateSync"
    return (MtOperation("crmApiHistoryRsTemplateSync", "POST", path, sync, TemplateSyncRequest),)
