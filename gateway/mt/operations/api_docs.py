"""/mt/portal/apiDoc: what products there are, described for developers; and everybody's favourites."""

from collections.abc import Sequence

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.products.moves import GrantState
from schemas.errors import Refused
from schemas.mt.api_docs import ApiDocDetailRow, ApiDocSummaryRow, CategoryRow, DocDetailQuery, DocQuery
from schemas.mt.codes import not_found
from schemas.mt.products import ProductCode
from stores.mt.api_docs import favourites, find_doc, of_category, search_docs, toggle_favourite
from stores.mt.grants import items_granted
from stores.mt.names import product_names
from stores.mt.products import find_product

NOT_SHOWN = {"taskAble"}
"""What a document says for the lists of grants alone."""


class ApiDocs:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone

    async def categories(self, asked: Asked) -> Reply:
        docs = await search_docs(self._database, None, None)
        if asked.call.query.get("hasDeptItem", "").lower() == "true":
            granted = await items_granted(self._database, asked.scope, [GrantState.OPEN])
            docs = [doc for doc in docs if doc.item in granted]
        rows = [
            CategoryRow(category_code=code, category_name=some[0].doc.category_name, count=len(some))
            for code, some in sorted(of_category(docs).items())
        ]
        return Reply(rows)

    async def search(self, asked: Asked) -> Reply:
        query: DocQuery = asked.body
        docs = await search_docs(self._database, query.category_code, query.keyword)
        names = await product_names(self._database, [doc.item for doc in docs])
        rows = [
            ApiDocSummaryRow(
                id=kept.id,
                create_time=self._zone.text(kept.created_at),
                modify_time=self._zone.text(kept.updated_at),
                check_item=kept.item,
                check_item_name=names.get(kept.item),
                category_code=kept.category,
                api_name=kept.doc.api_name,
                data_advantage=kept.doc.data_advantage,
                resp_time=kept.doc.resp_time,
                background_img=kept.doc.background_img,
                description=kept.doc.description,
            )
            for kept in docs
        ]
        return Reply(rows)

    async def detail(self, asked: Asked) -> Reply:
        query: DocDetailQuery = asked.body
        if query.check_item is None and query.id is None:
            raise Refused("bad_field", "send id or checkItem")
        kept = await find_doc(self._database, query.check_item, query.id)
        if kept is None:
            raise not_found("document")
        names = await product_names(self._database, [kept.item])
        marked = await favourites(self._database, asked.principal)
        written = {name: value for name, value in msgspec.to_builtins(kept.doc).items() if name not in NOT_SHOWN}
        row = {
            **written,
            "id": kept.id,
            "checkItemName": names.get(kept.item, kept.doc.api_name),
            "isCollected": kept.item in marked,
        }
        return Reply(msgspec.convert(row, ApiDocDetailRow))

    async def toggle(self, asked: Asked) -> Reply:
        product = await find_product(self._database, asked.body.check_item)
        await toggle_favourite(self._database, asked.principal, product.code, asked.at)
        return Reply()


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = ApiDocs(tools)
    base = "/mt/portal/apiDoc/"
    return (
        MtOperation("apiDocCategoryList", "GET", base + "categoryList", own.categories),
        MtOperation("apiDocQueryList", "POST", base + "queryList", own.search, DocQuery),
        MtOperation("apiDocQueryDetail", "POST", base + "queryDetail", own.detail, DocDetailQuery),
        MtOperation("apiDocDealCollect", "POST", base + "dealCollect", own.toggle, ProductCode),
    )
