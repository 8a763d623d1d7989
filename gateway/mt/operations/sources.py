"""/mt/crm/checkItem/datasource and upstream: where products are got from, at what cost, with which secrets."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.other_environment import OtherEnvironment
from gateway.mt.terms import amount, micro
from gateway.system import Reply
from schemas.errors import Refused
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import IdRequest, page_of
from schemas.mt.product_codes import CODE_TAKEN
from schemas.mt.products import SaveSource, SaveUpstream, SourceQuery, SourceRow, UpstreamQuery, UpstreamRow
from stores.mongo import Document
from stores.mt.names import product_names
from stores.mt.pages import containing, find_page
from stores.mt.products import find_product
from stores.mt.sources import (
    SOURCES,
    UPSTREAMS,
    Source,
    Upstream,
    add_source,
    add_upstream,
    delete_source,
    delete_upstream,
    edit_upstream,
    find_source,
    find_source_by_code,
    find_upstream,
    rename_source,
    same_upstream,
    sources_of,
)

HIDDEN = "******"
"""What is shown of a secret. Sent back, it leaves the secret as it is."""


class Sources:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._vault = tools.vault
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._other = OtherEnvironment(tools.settings.metering.other_environment, tools.net)

    # ---- sources ----------------------------------------------------------------------------------------------------

    async def list(self, asked: Asked) -> Reply:
        query: SourceQuery = asked.body
        match: Document = {"deleted_at": None}
        if query.data_source_id_list is not None:
            match["_id"] = {"$in": query.data_source_id_list}
        if query.keyword:
            match["$or"] = [{"code": containing(query.keyword)}, {"name": containing(query.keyword)}]
        documents, total = await find_page(self._database, SOURCES, match, query, [("_id", 1)], self._unpaged_rows)
        sources = [msgspec.convert(document, Source) for document in documents]
        return Reply(page_of([self._source_row(source) for source in sources], total, query))

    def _source_row(self, source: Source) -> SourceRow:
        return SourceRow(
            id=source.id,
            data_source_name=source.name,
            data_source_code=source.code,
            create_date=self._zone.text(source.created_at),
            update_date=self._zone.text(source.updated_at),
        )

    async def save(self, asked: Asked) -> Reply:
        body: SaveSource = asked.body
        known = None if body.id is None else await find_source(self._database, body.id)
        if known is not None and body.data_source_code not in (None, "", known.code):
            raise Refused("bad_field", f"dataSourceCode: {known.code} cannot be changed")
        if known is None and body.data_source_code is not None:
            await self._check_code(body.data_source_code)
        code, name = _source_names(body, known)
        if body.sync_other_env:
            portable = {"dataSourceCode": code, "dataSourceName": name}
            await self._other.apply("/mt/crm/checkItem/datasource/syncSave", portable, asked.call)
        if known is None:
            await add_source(self._database, code, name, asked.at)
        else:
            await rename_source(self._database, known.id, name, asked.at)
        return Reply()

    async def _check_code(self, code: str) -> None:
        if await find_source_by_code(self._database, code) is not None:
            raise MtRefused(CODE_TAKEN, f"there is a source {code} already")

    async def sync_save(self, asked: Asked) -> Reply:
        """By its code: new, or renamed. So a repeat does no harm."""
        self._other.check(asked.call)
        body: SaveSource = asked.body
        code = body.data_source_code
        known = None if code is None else await find_source_by_code(self._database, code)
        code, name = _source_names(body, known)
        if known is None:
            await add_source(self._database, code, name, asked.at)
        else:
            await rename_source(self._database, known.id, name, asked.at)
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        await delete_source(self._database, asked.body.id, asked.at)
        return Reply()

    # ---- upstream configurations ------------------------------------------------------------------------------------

    async def list_upstreams(self, asked: Asked) -> Reply:
        query: UpstreamQuery = asked.body
        if query.check_item is None and query.data_source_id is None:
            raise Refused("bad_field", "checkItem or dataSourceId is expected")
        match: Document = {"deleted_at": None}
        if query.check_item is not None:
            match["item"] = query.check_item
        source: Document = {}
        if query.data_source_id is not None:
            source["$eq"] = query.data_source_id
        if query.exclude_source_id_list:
            source["$nin"] = query.exclude_source_id_list
        if source:
            match["source_id"] = source
        documents, total = await find_page(
            self._database, UPSTREAMS, match, query, [("priority", 1), ("_id", 1)], self._unpaged_rows
        )
        upstreams = [msgspec.convert(document, Upstream) for document in documents]
        sources = await sources_of(self._database, [upstream.source_id for upstream in upstreams])
        names = await product_names(self._database, [upstream.item for upstream in upstreams])
        rows = [
            self._upstream_row(upstream, sources[upstream.source_id].name, names.get(upstream.item, upstream.item))
            for upstream in upstreams
        ]
        return Reply(page_of(rows, total, query))

    def _upstream_row(self, upstream: Upstream, source_name: str, product_name: str) -> UpstreamRow:
        return UpstreamRow(
            id=upstream.id,
            create_date=self._zone.text(upstream.created_at),
            update_date=self._zone.text(upstream.updated_at),
            priority=upstream.priority,
            data_source_id=upstream.source_id,
            data_source_code=upstream.source_code,
            data_source_name=source_name,
            service=upstream.service,
            check_item=upstream.item,
            check_item_name=product_name,
            req_key=upstream.req_key,
            req_secret=None if upstream.secret is None else HIDDEN,
            req_url=upstream.req_url,
            cost=amount(upstream.costs[-1].cost_micro) if upstream.costs else None,
            cost_detail=upstream.cost_detail,
            extra=upstream.extra,
            scene=upstream.scene or None,
        )

    async def save_upstream(self, asked: Asked) -> Reply:
        body: SaveUpstream = asked.body
        known = None if body.id is None else await find_upstream(self._database, body.id)
        if known is None:
            source = await self._source_of(body)
            await find_product(self._database, body.check_item)
            if await same_upstream(self._database, source.id, body.check_item, body.service, body.scene or ""):
                raise MtRefused(
                    CODE_TAKEN, f"{source.code} has a configuration for {body.check_item}, service and scene already"
                )
        else:
            source = await find_source(self._database, known.source_id)
            _check_same(body, known)
        fields, cost_micro = self._fields(body)
        if body.sync_other_env:
            await self._other.apply(
                "/mt/crm/checkItem/upstream/syncSave", _portable(asked.call.raw, source), asked.call
            )
        await self._put(known, source, body.check_item, fields, cost_micro, asked)
        return Reply()

    async def sync_save_upstream(self, asked: Asked) -> Reply:
        """The one of that source, product, class and scene: new, or edited. So a repeat does no harm."""
        self._other.check(asked.call)
        body: SaveUpstream = asked.body
        source = await self._source_of(body)
        await find_product(self._database, body.check_item)
        known = await same_upstream(self._database, source.id, body.check_item, body.service, body.scene or "")
        fields, cost_micro = self._fields(body)
        await self._put(known, source, body.check_item, fields, cost_micro, asked)
        return Reply()

    async def delete_upstream(self, asked: Asked) -> Reply:
        await delete_upstream(self._database, asked.body.id, asked.at)
        return Reply()

    async def _put(
        self,
        known: Upstream | None,
        source: Source,
        item: str,
        fields: dict[str, Any],
        cost_micro: int | None,
        asked: Asked,
    ) -> None:
        if known is None:
            await add_upstream(self._database, source, item, fields, cost_micro, asked.at)
        else:
            await edit_upstream(self._database, known, fields, cost_micro, asked.at)

    def _fields(self, body: SaveUpstream) -> tuple[dict[str, Any], int | None]:
        """What is set, and the cost. Refuses not_configured where a secret cannot be encrypted."""
        fields = {
            "service": body.service,
            "priority": body.priority,
            "scene": body.scene,
            "req_key": body.req_key,
            "req_url": body.req_url,
            "cost_detail": body.cost_detail,
            "extra": body.extra,
        }
        if body.req_secret and body.req_secret != HIDDEN:
            fields["secret"] = self._vault.encrypt(body.req_secret)
        return {field: value for field, value in fields.items() if value is not None}, micro(body.cost, "cost")

    async def _source_of(self, body: SaveUpstream) -> Source:
        if body.data_source_id is not None:
            return await find_source(self._database, body.data_source_id)
        if body.datasource_code is None:
            raise Refused("bad_field", "send dataSourceId or datasourceCode")
        source = await find_source_by_code(self._database, body.datasource_code)
        if source is None:
            raise not_found(f"source {body.datasource_code}")
        return source


def _source_names(body: SaveSource, known: Source | None) -> tuple[str, str]:
    """Code and name; those of a source that is there, where they are not sent."""
    code = body.data_source_code or (known.code if known else None)
    name = body.data_source_name or (known.name if known else None)
    if code is None or name is None:
        raise Refused("bad_field", "dataSourceCode and dataSourceName are expected")
    return code, name


def _check_same(body: SaveUpstream, known: Upstream) -> None:
    if body.check_item != known.item:
        raise Refused("bad_field", f"checkItem: {known.item} cannot be changed")
    if body.data_source_id not in (None, known.source_id):
        raise Refused("bad_field", f"dataSourceId: {known.source_id} cannot be changed")
    if body.datasource_code not in (None, "", known.source_code):
        raise Refused("bad_field", f"datasourceCode: {known.source_code} cannot be changed")


def _portable(raw: dict[str, Any], source: Source) -> dict[str, Any]:
    """The body by the source's code: in the other environment the ids are others. A hidden secret is none."""
    left_out = {"id", "dataSourceId"} | ({"reqSecret"} if raw.get("reqSecret") == HIDDEN else set())
    return {**{field: value for field, value in raw.items() if field not in left_out}, "datasourceCode": source.code}


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Sources(tools)
    source, upstream = "/mt/crm/checkItem/datasource/", "/mt/crm/checkItem/upstream/"
    return (
        MtOperation("crmCheckItemDatasourceList", "POST", source + "list", own.list, SourceQuery),
        MtOperation("crmCheckItemDatasourceSave", "POST", source + "save", own.save, SaveSource),
        MtOperation("crmCheckItemDatasourceSyncSave", "POST", source + "syncSave", own.sync_save, SaveSource),
        MtOperation("crmCheckItemDatasourceDelete", "POST", source + "delete", own.delete, IdRequest),
        MtOperation("crmCheckItemUpstreamList", "POST", upstream + "list", own.list_upstreams, UpstreamQuery),
        MtOperation("crmCheckItemUpstreamSave", "POST", upstream + "save", own.save_upstream, SaveUpstream),
        MtOperation(
            "crmCheckItemUpstreamSyncSave", "POST", upstream + "syncSave", own.sync_save_upstream, SaveUpstream
        ),
        MtOperation("crmCheckItemUpstreamDelete", "POST", upstream + "delete", own.delete_upstream, IdRequest),
    )
