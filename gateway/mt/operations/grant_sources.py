"""/mt/crm/customer/deptItem: the upstream configurations that serve an account's calls of a product."""

from collections.abc import Sequence

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.grant_desk import GrantDesk
from gateway.system import Reply
from schemas.mt.codes import not_found
from schemas.mt.common import IdRequest
from schemas.mt.grants import AssignedSourceRow, SaveSourceConfig, SourceConfigQuery
from stores.mt.assignments import assign, assigned, unassign
from stores.mt.depts import find_dept
from stores.mt.grants import held_by
from stores.mt.names import product_names
from stores.mt.sources import sources_of, upstreams_of


class GrantSources:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._desk = GrantDesk(tools.database)

    async def rows(self, asked: Asked) -> Reply:
        query: SourceConfigQuery = asked.body
        dept = await find_dept(self._database, query.dept_id, asked.scope)
        assignments = await assigned(self._database, dept.id, query.check_item)
        upstreams = await upstreams_of(self._database, [one.upstream_id for one in assignments])
        sources = await sources_of(self._database, [upstream.source_id for upstream in upstreams.values()])
        names = await product_names(self._database, [query.check_item])
        rows = []
        for one in assignments:
            upstream = upstreams.get(one.upstream_id)
            source = None if upstream is None else sources.get(upstream.source_id)
            rows.append(
                AssignedSourceRow(
                    id=one.id,
                    create_date=self._zone.text(one.created_at),
                    update_date=self._zone.text(one.updated_at),
                    dept_id=one.dept_id,
                    dept_name=dept.name,
                    check_item=one.item,
                    check_item_name=names.get(one.item),
                    source_id=one.upstream_id,
                    data_source_id=None if source is None else source.id,
                    data_source_name=None if source is None else source.name,
                    data_source_code=None if source is None else source.code,
                    priority=one.priority,
                )
            )
        return Reply(rows)

    async def save(self, asked: Asked) -> Reply:
        """Assign each that is named, or change its priority; the others stay."""
        body: SaveSourceConfig = asked.body
        dept = await find_dept(self._database, body.dept_id, asked.scope)
        grant = (await held_by(self._database, dept.id, [body.check_item])).get(body.check_item)
        if grant is None or grant.deleted_at is not None:
            raise not_found(f"grant of {body.check_item} to account {dept.id}")
        wanted = await self._desk.wanted_sources(body.check_item, body.source_list)
        known = {one.id: one.upstream_id for one in await assigned(self._database, dept.id, body.check_item)}
        for one in wanted:
            if one.id is not None and known.get(one.id) != one.upstream_id:
                raise not_found(f"assignment {one.id} of upstream configuration {one.upstream_id}")
        await assign(self._database, grant, wanted, asked.at)
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        await unassign(self._database, asked.body.id, asked.scope)
        return Reply()


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = GrantSources(tools)
    base = "/mt/crm/customer/deptItem/"
    return (
        MtOperation(
            "crmCustomerDeptItemSourceConfigList", "POST", base + "sourceConfigList", own.rows, SourceConfigQuery
        ),
        MtOperation(
            "crmCustomerDeptItemSaveSourceConfig", "POST", base + "saveSourceConfig", own.save, SaveSourceConfig
        ),
        MtOperation(
            "crmCustomerDeptItemDeleteSourceConfig", "POST", base + "deleteSourceConfig", own.delete, IdRequest
        ),
    )
