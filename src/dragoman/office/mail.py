"""Writes alerts as e-mail, and hands them to the mail server of the settings.

`smtplib` waits in a thread of its own. Certificates are checked, where TLS is spoken.
"""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Final

import msgspec

from dragoman.office.alarms import OVERRUN, REACHED, REFUSED, Message
from dragoman.office.alert_options import MAIL_TLS_PORT, SmtpOptions

_decode: Final = msgspec.json.Decoder(Message).decode


class NotSent(Exception):
    """A mail server did not take a message. The detail is for the operator's log."""


def letter(sender: str, to: str, event: str, body: str, now: float) -> EmailMessage:
    """Return an alert as an e-mail, by the body that webhooks get.

    Raises ValueError for addresses that cannot be written.
    """
    told = _decode(body)
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = _one_line(_subject(told))
    mail["Date"] = formatdate(now)
    mail["Message-ID"] = f"<{event}@{_domain(sender)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers
    lines = [f"{name}: {value}" for name, value in told.data.items() if value is not None]
    mail.set_content("\n".join((_subject(told), "", *lines, f"time: {told.timestamp}", "")))
    return mail


async def send(options: SmtpOptions, mail: EmailMessage) -> None:
    """Hand a message to the mail server. Raises NotSent."""
    try:
        await asyncio.to_thread(_send, options, mail)
    except (OSError, smtplib.SMTPException, ValueError) as why:
        # Time-outs and TLS are kinds of OSError, an address in no ASCII is a ValueError.
        raise NotSent(f"{type(why).__name__}: {why}") from why


def _send(options: SmtpOptions, mail: EmailMessage) -> None:
    place, wait_s = (options.host, options.port), options.timeout_s
    if options.port == MAIL_TLS_PORT:
        context = _context(options)
        server: smtplib.SMTP = smtplib.SMTP_SSL(*place, timeout=wait_s, context=context)
    else:
        server = smtplib.SMTP(*place, timeout=wait_s)
    with server:
        if options.starttls and options.port != MAIL_TLS_PORT:
            server.starttls(context=_context(options))
        if options.username is not None and (secret := options.secret) is not None:
            server.login(options.username, secret.reveal())
        server.send_message(mail)


def _context(options: SmtpOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if options.ca_file is not None:
        context.load_verify_locations(options.ca_file)
    return context


def _subject(told: Message) -> str:
    data = told.data
    if told.type == REACHED:
        return f"{data['alert_name']}: {_share(data)}"
    if told.type == OVERRUN:
        return f"A generation at {data['endpoint']} cost more than was held for it"
    if told.type == REFUSED:
        return f"The journal {data['journal']} of node {data['node']} cannot be booked"
    return f"{data['alert_name']}: a test, to see whether this arrives"


def _share(data: dict[str, Any]) -> str:
    whose = "the key" if data["key_hash"] else "the account"
    if data["unit"] == "percent":
        return f"{data['threshold']} % of the limit of {whose} are used"
    span = {"daily": " today", "weekly": " this week", "monthly": " this month"}
    return f"{whose} has spent {data['threshold']:g} USD{span.get(data['window'], '')}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _domain(sender: str) -> str:
    return sender.rstrip(">").rpartition("@")[2] or "localhost"
