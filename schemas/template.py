"""Templates: the text of a push of one kind in one language, before its fields are filled in."""

from collections.abc import Mapping

import msgspec

from schemas.push import Language


class TemplateText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Jinja2 in both; a push has at least one of them."""

    title: str | None = None
    body: str | None = None

    def __post_init__(self) -> None:
        if self.title is None and self.body is None:
            raise ValueError("a template has a title, a body, or both")


TemplateTexts = Mapping[tuple[str, Language], TemplateText]
"""By kind and language."""
