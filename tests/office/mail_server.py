"""A mail server that takes what it is given, on loopback: SMTP as far as alerts need it."""

import asyncio
import base64
import ssl
from types import TracebackType
from typing import Self


class MailServer:
    """Keeps what was mailed: (sender, recipients, text). It refuses addresses that begin so."""

    def __init__(self, tls: ssl.SSLContext | None = None, refuses: str = "nobody@") -> None:
        self.mails: list[tuple[str, list[str], str]] = []
        self.logins: list[str] = []
        self.commands: list[str] = []
        self.port = 0
        self._tls = tls
        self._refuses = refuses
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        await asyncio.wait({talk})
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipients = "", list[str]()
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line.decode().strip()
            verb = command.partition(" ")[0].upper()
            self.commands.append(verb)
            answer = "250 good"
            match verb:
                case "EHLO":
                    secured = writer.get_extra_info("ssl_object") is not None
                    offer = "250 STARTTLS" if self._tls and not secured else "250 AUTH PLAIN"
                    answer = f"250-here\r\n{offer}"
                case "STARTTLS":
                    writer.write(b"220 go\r\n")
                    await writer.start_tls(self._tls or ssl.create_default_context())
                    continue
                case "AUTH":
                    self.logins.append(base64.b64decode(command.split()[2]).decode())
                    answer = "235 welcome"
                case "MAIL":
                    sender, recipients = _address(command), []
                case "RCPT":
                    refused = _address(command).startswith(self._refuses)
                    answer = "550 nobody of that name" if refused else answer
                    recipients.append(_address(command))
                case "DATA":
                    writer.write(b"354 say it\r\n")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append((sender, recipients, text.decode()))
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
            writer.write(f"{answer}\r\n".encode())


def _address(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]
