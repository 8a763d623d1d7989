"""`fanfold products`: what is written about products. As in `workers.cli`, a command imports what it needs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workers.commands.running import Json, effective_settings, run_quietly

products = typer.Typer(help="Products of the metering platform.", no_args_is_help=True)


class CacheHits(StrEnum):
    charged = "charged"
    free = "free"


@products.command("docs")
def put_docs(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A JSON array, as docs/products.md describes.",
        ),
    ],
) -> None:
    """Put documents of products, each in place of the one that its product has."""
    from workers.commands.products import put_documents, read_documents

    run_quietly(put_documents(effective_settings(), read_documents(file)))


@products.command("cache-hits")
def cache_hits(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="The product's code.")],
    what: Annotated[CacheHits | None, typer.Argument(help="What they are; left out, nothing is changed.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="From when on: yyyy-MM-dd HH:mm:ss in the platform's zone; else from now on."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether calls that are answered from the cache are charged, and show what was said so far.

    A call is rated by what held at its own time. Nobody having said, they are charged as any other.
    """
    from workers.commands.products import say_cache_hits

    charged = None if what is None else what is CacheHits.charged
    run_quietly(say_cache_hits(effective_settings(), item, charged, since, as_json=as_json))
