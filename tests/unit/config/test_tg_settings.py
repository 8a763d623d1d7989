from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import Settings


def with_tokens(tokens: dict[str, Any]) -> Settings:
    return Settings.model_validate({"tg_binding": {"tokens": tokens}})


def test_a_customers_token_is_shown_nowhere_and_kept_where_settings_are_passed_on() -> None:
    settings = with_tokens({"opensesame": {"customer": "77", "company": "5"}})

    assert "opensesame" not in repr(settings)
    shown = settings.model_dump(mode="json")
    assert "opensesame" not in repr(shown)
    assert shown["tg_binding"]["tokens"] == [{"customer": "77", "company": "5"}]
    assert Settings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize("customer", [{"customer": "77"}, {"customer": "", "company": "5"}, {"customer": "7" * 257}])
def test_a_token_stands_for_a_customer_of_a_company(customer: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        with_tokens({"opensesame": customer})
