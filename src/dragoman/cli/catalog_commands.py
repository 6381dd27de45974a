"""`dragoman catalog`: what is told of the catalog, and how a newer one is put into force."""

import typer

from dragoman.cli import catalog_refresh
from dragoman.cli.exits import EPILOG

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Refresh the catalog of models, and see what counts.",
)

app.add_typer(catalog_refresh.app)
