"""The secrets that webhooks of alerts are signed with. None of them is stored.

The secret of a rule follows from its id, the number of its secrets so far, and the pepper,
which is not in the database: who can read that cannot forge a message. One that was replaced
signs along for a day, so that its receivers have time to take up the new one.
"""

from typing import Final

from sqlalchemy import Connection, select

from dragoman.ledger.alert_rows import HOUSE
from dragoman.ledger.alert_tables import alert_rule
from dragoman.ledger.alerts import Rule
from dragoman.net.signing import secret_bytes, secret_text
from dragoman.office.alert_options import HouseOptions
from dragoman.store.custody import Pepper
from dragoman.store.sql import Work

OVERLAP_S: Final = 86_400.0


class Secrets:
    """Tells by what messages are signed. Cannot be printed."""

    __slots__ = ("_house", "_pepper")

    def __init__(self, pepper: Pepper, house: HouseOptions) -> None:
        self._pepper = pepper
        self._house = () if house.secret is None else (secret_bytes(house.secret),)

    def text(self, rule: Rule) -> str:
        """Return the present secret of a rule, to be told its owner once."""
        return secret_text(self._secret(rule.id, rule.version))

    def of(self, rule: str, now: float) -> Work[tuple[bytes, ...]]:
        """Return the secrets that sign for a rule at Unix time `now`; none if it is gone."""

        def work(connection: Connection) -> tuple[bytes, ...]:
            if rule == HOUSE:
                return self._house
            query = select(alert_rule.c.version, alert_rule.c.rotated_at)
            row = connection.execute(query.where(alert_rule.c.id == rule)).first()
            if row is None:
                return ()
            version, rotated_at = row
            replaced = rotated_at is not None and now - rotated_at < OVERLAP_S
            versions = (version, version - 1) if replaced else (version,)
            return tuple(self._secret(rule, each) for each in versions)

        return work

    def _secret(self, rule: str, version: int) -> bytes:
        return bytes.fromhex(self._pepper.sign(f"alert {rule} {version}"))

    def __repr__(self) -> str:
        return "Secrets(…)"
