"""`dragoman ledger verify`: prove that the books add up, or name what does not."""

import typer

from dragoman.cli.console import out, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, FAILED
from dragoman.ledger.proof import Proof, prove

app = typer.Typer(
    no_args_is_help=True, add_completion=False, epilog=EPILOG, help="Prove that the books add up."
)


@app.callback()
def _ledger() -> None:
    """Prove that the books add up."""


@app.command(epilog=EPILOG)
def verify(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every balance, purse, lease and journal against its rows; fail if one disagrees."""
    with opened_existing(settings(data, config)) as premises:
        proof = premises.ledger.run_now(prove)
    if as_json:
        print_json(proof)
    else:
        _print(proof)
    if not proof.holds:
        raise typer.Exit(FAILED)


def _print(proof: Proof) -> None:
    if proof.holds:
        out().print(
            f"The books add up: {proof.accounts:,} accounts, {proof.entries:,} entries, "
            f"{proof.purses:,} purses, {proof.leases:,} leases, {proof.journals:,} journals "
            f"with {proof.generations:,} generations."
        )
        return
    rows = [(each.rule, each.subject, each.detail) for each in proof.violations]
    print_table(("rule", "what", "how"), rows)
