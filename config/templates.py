"""Reads templates: files named KIND.LANGUAGE.toml, those of an operator's folder before those shipped."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import get_args

import msgspec

from schemas.push import Language
from schemas.template import TemplateText, TemplateTexts

SHIPPED = files("config") / "texts"


def load_templates(folder: Path | None = None) -> TemplateTexts:
    """The texts as they are written. Raises ValueError that lists every file which is no template."""
    texts: dict[tuple[str, Language], TemplateText] = {}
    mistakes: list[str] = []
    for source in (SHIPPED,) if folder is None else (SHIPPED, _folder(folder)):
        for file in sorted(source.iterdir(), key=lambda file: file.name):
            if not file.name.endswith(".toml"):
                continue
            try:
                texts[_name_of(file.name)] = msgspec.toml.decode(file.read_bytes(), type=TemplateText)
            except ValueError as error:
                mistakes.append(f"{file}: {error}")
    if mistakes:
        raise ValueError("templates that cannot be used:\n" + "\n".join(mistakes))
    return texts


def _folder(path: Path) -> Traversable:
    if not path.is_dir():
        raise ValueError(f"push.templates: no folder {path}")
    return path


def _name_of(file_name: str) -> tuple[str, Language]:
    kind, _, language = file_name.removesuffix(".toml").rpartition(".")
    for known in get_args(Language):
        if kind and language == known:
            return kind, known
    raise ValueError(f"the name is not KIND.LANGUAGE.toml with a language of {', '.join(get_args(Language))}")
