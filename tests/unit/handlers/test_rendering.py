from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rendering import BODY_CHARS, TITLE_CHARS, Templates, money
from schemas.errors import Poison
from schemas.push import Language
from schemas.template import TemplateText

words = st.text(min_size=1, max_size=30).filter(str.strip)


def a_template(title: str | None = None, body: str | None = None, language: Language = "en") -> Templates:
    return Templates({("order.paid", language): TemplateText(title, body)})


def rendered(
    templates: Templates, fields: Mapping[str, Any] | None = None, language: Language = "en"
) -> tuple[str | None, str | None]:
    return templates.render("order.paid", language, fields or {}, title=None, body=None)


def poison_of(templates: Templates, fields: Mapping[str, Any] | None = None) -> Poison:
    with pytest.raises(Poison) as caught:
        rendered(templates, fields)
    return caught.value


@pytest.mark.parametrize(("title", "body"), [("T", "B"), ("T", None), (None, "B"), ("{{ x }}", None)])
def test_a_text_that_is_given_stays_as_it_is(title: str | None, body: str | None) -> None:
    given = a_template("of a template", "of a template").render("order.paid", "en", {}, title=title, body=body)

    assert given == (title, body)


def test_fields_are_filled_in_and_printed_as_they_are() -> None:
    templates = a_template("Order {{ id }}", "{{ who.name }} paid {{ amount }}")

    assert rendered(templates, {"id": 1, "who": {"name": "<b>&*_"}, "amount": 2.5}) == ("Order 1", "<b>&*_ paid 2.5")


@given(words, words)
def test_every_value_is_found_again_in_the_text(first: str, second: str) -> None:
    title, body = rendered(a_template("x", "[{{ a }}|{{ b }}]"), {"a": first, "b": second})

    assert (title, body) == ("x", f"[{first}|{second}]")


@pytest.mark.parametrize(
    "fields",
    [{}, {"who": None}, {"who": ""}, {"who": " \n"}, {"who": {}}, {"who": {"name": None}}, {"who": {"name": "\t"}}],
)
def test_what_is_missing_null_or_blank_makes_no_text(fields: dict[str, Any]) -> None:
    poison = poison_of(a_template("Paid", "by {{ who.name }}"), fields)

    assert poison.reason == "missing_field"
    assert "order.paid.en" in str(poison)
    assert "'name'" in str(poison) or "'who'" in str(poison)


@pytest.mark.parametrize("body", ["{{ list[0] }}", "{% for each in list %}{{ each }}{% endfor %}"])
def test_what_is_missing_in_a_list_makes_no_text(body: str) -> None:
    assert poison_of(a_template("Paid", body), {"list": [None]}).reason == "missing_field"


@pytest.mark.parametrize("name", ["range", "dict", "cycler", "namespace", "order.items", "order.keys"])
def test_a_function_is_no_field(name: str) -> None:
    assert poison_of(a_template("Paid", f"{{{{ {name} }}}}"), {"order": {"id": 1}}).reason == "missing_field"


def test_a_template_may_ask_for_what_may_be_missing() -> None:
    templates = a_template("Paid", "{% if note is defined %}{{ note }}{% else %}-{% endif %}{{ more | default('') }}")

    assert [rendered(templates, fields)[1] for fields in ({}, {"note": None}, {"note": ""}, {"note": "n"})] == [
        "-",
        "-",
        "-",
        "n",
    ]


def test_false_and_zero_are_values() -> None:
    assert rendered(a_template("{{ a }} {{ b }}"), {"a": 0, "b": False}) == ("0 False", None)


@given(st.text(min_size=4, max_size=20))
def test_an_error_names_the_field_and_no_value(secret: str) -> None:
    templates = a_template("{{ secret }}", "{{ secret }} {{ missing_name }} {{ secret.field }}")
    marked = f"<<{secret}>>"

    assert marked not in str(poison_of(templates, {"secret": marked}))


@pytest.mark.parametrize("body", ["{{ n / 0 }}", "{{ 'a' + n }}", "{{ n | money }}", "{{ n.__class__.__mro__ }}"])
def test_what_the_fields_do_not_allow_makes_no_text(body: str) -> None:
    assert poison_of(a_template("Paid", body), {"n": 1.5}).reason in ("template_failed", "missing_field")


def test_a_template_whose_text_is_blank_makes_none() -> None:
    assert poison_of(a_template("{% if a is defined %}x{% endif %}", " \n ")).reason == "no_text"


@pytest.mark.parametrize(("title", "body"), [("{{ t }}", "b"), ("t", "{{ t * 100 }}")])
def test_a_text_that_no_delivery_could_hold_is_an_error(title: str, body: str) -> None:
    fields = {"t": "x" * (TITLE_CHARS + 1)}

    assert len(fields["t"] * 100) > BODY_CHARS
    assert poison_of(a_template(title, body), fields).reason == "text_too_long"


def test_a_kind_without_a_template_is_an_error_that_names_it() -> None:
    with pytest.raises(Poison, match=r"order\.lost") as caught:
        a_template("t").render("order.lost", "en", {}, title=None, body=None)

    assert caught.value.reason == "no_template"


def test_a_language_falls_back_to_english_and_then_to_any() -> None:
    both = Templates(
        {("order.paid", "en"): TemplateText(title="en"), ("order.paid", "zh"): TemplateText(title="zh")},
    )

    assert [rendered(both, language=language)[0] for language in ("en", "zh")] == ["en", "zh"]
    assert rendered(a_template("en"), language="zh")[0] == "en"
    assert rendered(a_template("zh", language="zh"), language="en")[0] == "zh"


def test_a_title_is_one_line() -> None:
    assert rendered(a_template("\nPaid:\n  {{ id }}\n"), {"id": "a\r\nb"})[0] == "Paid: a b"


def test_all_templates_that_do_not_compile_are_named_together() -> None:
    texts = {("a", "en"): TemplateText(body="{{ x"), ("b", "zh"): TemplateText(title="{{ x | nofilter }}")}

    with pytest.raises(ValueError, match=r"(?s)a\.en: .*b\.zh: .*nofilter"):
        Templates({**texts, ("c", "en"): TemplateText(title="fine")})


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (12_500_000, "12.50"),
        (1, "0.000001"),
        (-500_000, "-0.50"),
        (1_230_000, "1.23"),
        (10**15, f"{10**9}.00"),
    ],
)
def test_money_is_exact(micros: int, text: str) -> None:
    assert money(micros) == text


@given(st.integers(-(2**63), 2**63))
def test_money_loses_nothing(micros: int) -> None:
    whole, places = money(micros).lstrip("-").split(".")

    assert (int(whole) * 10**6 + int(places.ljust(6, "0"))) * (-1 if micros < 0 else 1) == micros
