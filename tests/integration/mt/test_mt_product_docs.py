"""Documents of products, put by the command line and shown by the public site."""

import json
from pathlib import Path

from mt_api import Portals
from mt_products import a_product

from tests.integration.command import Fanfold

DETAIL = "/mt/portal/apiDoc/queryDetail"


async def test_documents_from_a_file_are_shown_and_replaced(portals: Portals, tmp_path: Path) -> None:
    item = await a_product(portals)
    fanfold, file = Fanfold(portals.settings), tmp_path / "docs.json"
    for name in ("First", "Second"):
        table = {"columns": [{"columnId": "n", "columnTitle": "Name"}], "rows": [{"n": "idCard"}]}
        file.write_text(json.dumps([{"checkItem": item, "apiName": name, "paramSchema": [table]}]))
        put = await fanfold("products", "docs", str(file))
        assert (put.status, put.err) == (0, "")

    shown = await portals.customer.ok(DETAIL, {"checkItem": item})

    assert (shown["apiName"], shown["paramSchema"][0]["rows"]) == ("Second", [{"n": "idCard"}])


async def test_a_file_with_a_document_of_no_product_is_refused_whole(portals: Portals, tmp_path: Path) -> None:
    item, file = await a_product(portals), tmp_path / "docs.json"
    file.write_text(json.dumps([{"checkItem": item, "apiName": "A"}, {"checkItem": "NOT_THERE", "apiName": "B"}]))

    put = await Fanfold(portals.settings)("products", "docs", str(file))

    assert put.status == 1
    assert "NOT_THERE" in put.err
    assert (await portals.customer.ask(DETAIL, {"checkItem": item})).code == 40401
