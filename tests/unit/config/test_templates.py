from pathlib import Path
from typing import Any

import pytest

from config.templates import load_templates
from handlers.rendering import Templates
from schemas.push import Language
from schemas.template import TemplateText

FIELDS: dict[str, dict[str, Any]] = {
    "alert.closed": {"product": "Phone check"},
    "alert.raised": {"product": "Phone check", "errors": 12, "period_seconds": 60},
    "contract.to.sign": {"contract": "Frame contract", "url": "https://sign.example/1"},
    "detection.noticed": {},
    "endpoint.disabled": {"endpoint": "ep_1", "channel": "webhook", "reason": "failing"},
    "product.abnormal": {"item": "PHONE", "name": "Phone check", "when": "2026-03-01 00:00:00"},
    "product.listed": {"item": "PHONE", "name": "Phone check", "when": "2026-03-01 00:00:00"},
    "product.unlisted": {"item": "PHONE", "name": "Phone check", "when": "2026-03-01 00:00:00"},
    "invoice.sent": {"invoice": 7, "header": "Some Ltd", "amount_micros": 12_500_000, "url": "https://example.com/7"},
    "statement.sent": {"month": "2026-03", "statement": "S-7", "amount_micros": 12_500_000},
    "wallet.locked": {"wallet": "Main", "balance_micros": -1_000_000},
    "wallet.low": {"wallet": "Main", "balance_micros": 4_500_000, "threshold_micros": 10_000_000},
    "wallet.overdrawn": {"wallet": "Main", "balance_micros": -1_000_000, "quota_micros": 5_000_000},
    "wallet.recharged": {"wallet": "Main", "amount_micros": 100_000_000},
}
"""What each template needs at least."""
OPTIONAL: dict[str, dict[str, Any]] = {
    "alert.closed": {"errors": 40},
    "detection.noticed": {
        "task_name": "Nightly",
        "code": "T1",
        "channel": "c",
        "total": 9,
        "banned_count": 2,
        "normal_count": 7,
    },
    "product.abnormal": {"note": "We look into it."},
    "product.listed": {"note": "Have a look."},
    "product.unlisted": {"note": "Its successor is PHONE2."},
    "statement.sent": {"currency": "CNY"},
    "wallet.locked": {"currency": "CNY"},
    "wallet.low": {"currency": "CNY"},
    "wallet.overdrawn": {"currency": "CNY"},
    "wallet.recharged": {"currency": "CNY"},
}


def shipped(kind: str, language: Language, fields: dict[str, Any]) -> str:
    title, body = Templates(load_templates()).render(kind, language, fields, title=None, body=None)
    return f"{title}\n{body}"


def test_every_kind_is_shipped_in_both_languages() -> None:
    assert set(load_templates()) == {(kind, language) for kind in FIELDS for language in ("en", "zh")}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", FIELDS)
def test_a_shipped_template_prints_what_it_says_it_needs(kind: str, language: Language) -> None:
    least, most = FIELDS[kind], {**FIELDS[kind], **OPTIONAL.get(kind, {})}
    text = shipped(kind, language, most)

    shipped(kind, language, least)
    assert "{" not in text
    assert "\n\n" not in text.partition("\n")[2]
    for name, value in most.items():
        if name != "reason":
            assert (f"{value / 1_000_000:.2f}" if name.endswith("_micros") else str(value)) in text, name


@pytest.mark.parametrize(
    ("reason", "said"), [("gone", "gone for good"), ("failing", "for days"), ("moved to B", "Reason: moved to B")]
)
def test_an_owner_is_told_why_an_endpoint_was_disabled(reason: str, said: str) -> None:
    assert said in shipped("endpoint.disabled", "en", {**FIELDS["endpoint.disabled"], "reason": reason})


def test_a_folders_templates_come_before_those_shipped(tmp_path: Path) -> None:
    (tmp_path / "wallet.low.en.toml").write_text('title = "Mine"')
    (tmp_path / "order.paid.zh.toml").write_text('body = "付款"')
    (tmp_path / "README.md").write_text("Ours.")
    texts = load_templates(tmp_path)

    assert texts["wallet.low", "en"] == TemplateText(title="Mine")
    assert texts["wallet.low", "zh"] == load_templates()["wallet.low", "zh"]
    assert texts["order.paid", "zh"] == TemplateText(body="付款")


def test_every_file_that_is_no_template_is_named(tmp_path: Path) -> None:
    wrong = {
        "order.paid.fr.toml": 'title = "x"',
        "zh.toml": 'title = "x"',
        "a.en.toml": "",
        "b.en.toml": 'titel = "x"',
        "c.en.toml": "title =",
        "d.en.toml": "title = 1",
        "e.en.toml": b"title = '\xff'",
    }
    for name, text in wrong.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ValueError, match="templates that cannot be used") as caught:
        load_templates(tmp_path)

    assert [name for name in wrong if name not in str(caught.value)] == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder"):
        load_templates(tmp_path / "gone")
