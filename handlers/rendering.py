"""Templates with fields filled in: a push whose text nobody wrote gets it here.

A text is whole or there is none: a field that a template prints and the push lacks,
or has as null or blank, is an error. What may be missing a template asks for:
`{% if note is defined %}{{ note }}{% endif %}`. Values are printed as they are; each
channel escapes for itself. Besides Jinja2's own filters there is `money`.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from schemas.errors import Poison
from schemas.push import Language
from schemas.template import TemplateText, TemplateTexts

FALLBACK: Language = "en"
TITLE_CHARS, BODY_CHARS = 4_096, 262_144
"""As much as a delivery can hold (schemas.numbers)."""
MICROS = 1_000_000


class Compiled:
    """One kind in one language."""

    def __init__(self, environment: SandboxedEnvironment, text: TemplateText) -> None:
        self._title = _compiled(environment, text.title)
        self._body = _compiled(environment, text.body)

    def render(self, fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
        title = None if self._title is None else " ".join(self._title.render(fields).split())
        body = None if self._body is None else self._body.render(fields).strip()
        return title or None, body or None


class Templates:
    def __init__(self, texts: TemplateTexts) -> None:
        """Raises ValueError that lists every template which does not compile."""
        environment = _environment()
        self._compiled: dict[str, dict[Language, Compiled]] = {}
        mistakes: list[str] = []
        for (kind, language), text in sorted(texts.items()):
            try:
                self._compiled.setdefault(kind, {})[language] = Compiled(environment, text)
            except TemplateError as error:
                mistakes.append(f"{kind}.{language}: {error}")
        if mistakes:
            raise ValueError("templates that do not compile:\n" + "\n".join(mistakes))

    def render(
        self, kind: str, language: Language, fields: Mapping[str, Any], *, title: str | None, body: str | None
    ) -> tuple[str | None, str | None]:
        """Title and body: as they are given, or else by the template of `kind`.

        In the language asked for, else in English, else in any. Raises Poison, with
        names and never with values: `no_template`, `missing_field`, `template_failed`
        (an operation that its fields do not allow), `no_text`, `text_too_long`.
        """
        if title is not None or body is not None:
            return title, body
        found, template = self._find(kind, language)
        where = f"template {kind}.{found}"
        try:
            title, body = template.render(_present(fields))
        except UndefinedError as error:
            raise Poison("missing_field", f"{where}: {error}") from None
        except Exception as error:  # noqa: BLE001 - pure code of an operator's, on fields of a sender's
            raise Poison("template_failed", f"{where}: {type(error).__name__}") from None
        if title is None and body is None:
            raise Poison("no_text", f"{where}: neither title nor body")
        if len(title or "") > TITLE_CHARS or len(body or "") > BODY_CHARS:
            raise Poison("text_too_long", f"{where}: a title has {TITLE_CHARS} characters at most, a body {BODY_CHARS}")
        return title, body

    def _find(self, kind: str, language: Language) -> tuple[Language, Compiled]:
        by_language = self._compiled.get(kind)
        if by_language is None:
            raise Poison("no_template", f"no template for {kind}")
        found = next((each for each in (language, FALLBACK) if each in by_language), min(by_language))
        return found, by_language[found]


def money(micros: int) -> str:
    """Micro-units as a decimal number, exact, with two places at least: 12500000 is 12.50."""
    whole, rest = divmod(abs(micros), MICROS)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{places}"


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Their names could be fields': one that is missing must not print a function.
    environment.globals.clear()
    environment.filters["money"] = money
    return environment


def _compiled(environment: SandboxedEnvironment, source: str | None) -> Template | None:
    return None if source is None else environment.from_string(source)


def _printable(value: Any) -> Any:
    # A dict's own methods answer to their names: `{{ order.items }}` without such a field.
    # What is undefined says itself which name it lacks.
    if value is None or (callable(value) and not isinstance(value, Undefined)):
        raise UndefinedError("a value to print is missing")
    return value


def _present(value: Any) -> Any:
    """Without what is null or blank, at any depth, so that it is as good as missing."""
    if isinstance(value, Mapping):
        return {name: _present(inner) for name, inner in value.items() if not _blank(inner)}
    if isinstance(value, list | tuple):
        return [_present(inner) for inner in value]
    return value


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
