"""Alerts by e-mail: what they say, over TLS to whom is certified, and what a server refuses."""

import json
import ssl
import subprocess
from email import message_from_string
from email.policy import default as policy
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import update

from dragoman.ledger.alert_tables import alert_delivery
from dragoman.office import mail
from dragoman.office.alert_options import SmtpOptions
from dragoman.store.sql import Database
from tests.conftest import Needs
from tests.office.conftest import Couriers
from tests.office.mail_server import MailServer
from tests.office.outgoing import hasten, rule, states, try_out


@pytest.fixture
def certificate(tmp_path: Path, needs: Needs) -> Path:
    """Return a file with a self-signed certificate for 127.0.0.1, and its key."""
    path, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=mail",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + key.read_text())
    return path


def smtp(port: int, **options: object) -> SmtpOptions:
    chosen = {"host": "127.0.0.1", "port": port, "sender": "Dragoman <alerts@example.com>"}
    return SmtpOptions(**chosen | {"starttls": False, "timeout_s": 5.0} | options)  # type: ignore[arg-type]


async def test_an_alert_goes_by_mail(ledger: Database, couriers: Couriers) -> None:
    async with MailServer() as server:
        made = rule(ledger, None, "bob@example.com", "nobody@example.com")
        try_out(ledger, made)
        await couriers(smtp=smtp(server.port)).deliver()
        ((sender, recipients, written),) = server.mails
    assert (sender, recipients) == ("alerts@example.com", ["bob@example.com"])
    letter = message_from_string(written, policy=policy)
    assert letter["Subject"] == "much: a test, to see whether this arrives"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert f"alert_id: {made.id}" in letter.get_content()
    assert sorted(states(ledger, made)) == [
        ("sent", 1, None),
        ("waiting", 1, "the mail server did not take it"),
    ]


async def test_mail_goes_over_tls_to_who_is_certified_or_not_at_all(
    ledger: Database, couriers: Couriers, certificate: Path
) -> None:
    made = rule(ledger, None, "bob@example.com")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with MailServer(tls) as server:
        options = smtp(server.port, starttls=True, username="me", password="secret")
        try_out(ledger, made)
        await couriers(smtp=options).deliver()
        assert states(ledger, made) == [("waiting", 1, "the mail server did not take it")]
        assert (server.mails, server.logins) == ([], []), "its certificate is nobody's"
        hasten(ledger)
        await couriers(smtp=structs.replace(options, ca_file=str(certificate))).deliver()
        assert states(ledger, made) == [("sent", 2, None)]
        assert server.logins == ["\0me\0secret"]
        assert server.commands.index("STARTTLS") < server.commands.index("AUTH")


@pytest.mark.parametrize("address", ["a@example.com\nBcc: eve@example.com", "bób@example.com"])
async def test_an_address_that_cannot_be_written_ends_no_node(
    ledger: Database, couriers: Couriers, address: str
) -> None:
    made = rule(ledger, None, "bob@example.com")
    try_out(ledger, made)
    ledger.run_now(lambda c: c.execute(update(alert_delivery).values(target=address)))
    async with MailServer() as server:
        await couriers(smtp=smtp(server.port)).deliver()
        ((state, attempts, error),) = states(ledger, made)
        assert (attempts, server.mails) == (1, [])
    assert (state, error) in {
        ("dead", "it cannot be written to that address"),
        ("waiting", "the mail server did not take it"),
    }


async def test_no_mail_server_means_no_mail(ledger: Database, couriers: Couriers) -> None:
    made = rule(ledger, None, "bob@example.com")
    try_out(ledger, made)
    await couriers().deliver()
    assert states(ledger, made) == [("dead", 1, "there is no mail server to send it by")]


def delivery(type_: str, **data: object) -> str:
    return json.dumps({"type": type_, "timestamp": "2026-11-21T09:00:00+00:00", "data": data})


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (
            delivery(
                "alert.threshold_reached",
                alert_name="team\nBcc: eve@example.com",
                unit="percent",
                threshold=80,
                key_hash="k",
            ),
            "team Bcc: eve@example.com: 80 % of the limit of the key are used",
        ),
        (
            delivery(
                "alert.threshold_reached",
                alert_name="team",
                unit="usd",
                threshold=12.5,
                window="weekly",
                key_hash=None,
            ),
            "team: the account has spent 12.5 USD this week",
        ),
        (
            delivery("house.overrun", endpoint="a|b"),
            "A generation at a|b cost more than was held for it",
        ),
        (
            delivery("house.journal_refused", journal="abc", node="n"),
            "The journal abc of node n cannot be booked",
        ),
    ],
)
def test_subjects_say_what_happened_in_one_line(body: str, subject: str) -> None:
    letter = mail.letter("a@example.com", "b@example.com", "evt_1", body, 0.0)
    assert letter["Subject"] == subject
    assert letter["Bcc"] is None
    assert letter["Message-ID"] == "<evt_1@example.com>"
