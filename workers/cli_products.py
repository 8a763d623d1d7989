"""`fanfold products`: what is written about products. As in `workers.cli`, a command imports what it needs."""

from pathlib import Path
from typing import Annotated

import typer

from workers.commands.running import effective_settings, run_quietly

products = typer.Typer(help="Products of the metering platform.", no_args_is_help=True)


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
