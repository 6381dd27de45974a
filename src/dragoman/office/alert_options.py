"""The section `alerts:` of `dragoman.yaml`: where alerts may go, and those of the house."""

import re
from email.utils import parseaddr
from typing import Annotated

from msgspec import Meta, Struct

from dragoman.core.secret import Secret
from dragoman.net.fetch import FetchRefused, Permit
from dragoman.net.options import FetchOptions, Port
from dragoman.net.signing import secret_bytes

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
MAIL_TLS_PORT = 465
"""Where mail servers speak TLS from the first byte (RFC 8314, 3.3)."""
EMAIL = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,189}")
POST_S = 5.0
POST_BYTES = 64 * 1024
MOST_DESTINATIONS = 20


class SmtpOptions(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}
):
    """The mail server by which alerts go to e-mail addresses."""

    host: Text
    port: Port = 587
    username: str | None = None
    password: str | None = None
    sender: Text
    """The address that alerts come from."""
    starttls: bool = True
    """Whether the connection is made TLS before anything is said. On port 465 it is from the
    beginning."""
    ca_file: str | None = None
    """Certificate authorities of one's own, beside the system's."""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0

    def __post_init__(self) -> None:
        """Raise ValueError for a credential that would go over the network in the clear."""
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` belong together")
        if self.password is not None and not (self.starttls or self.port == MAIL_TLS_PORT):
            raise ValueError("`password` goes over TLS only: set `starttls`, or port 465")
        if not EMAIL.fullmatch(parseaddr(self.sender)[1]):
            raise ValueError("`from` holds no address like alerts@example.com")

    @property
    def secret(self) -> Secret | None:
        """The password."""
        return None if self.password is None else Secret(self.password)

    def __repr__(self) -> str:
        return f"SmtpOptions(host={self.host!r}, port={self.port})"


class HouseOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told what concerns the installation: usage beyond its bound, journals refused."""

    webhooks: Annotated[tuple[Text, ...], Meta(max_length=MOST_DESTINATIONS)] = ()
    emails: Annotated[tuple[Text, ...], Meta(max_length=MOST_DESTINATIONS)] = ()
    secret: str | None = None
    """What webhooks are signed with: `whsec_` and base64 of 24 to 64 bytes."""

    def __post_init__(self) -> None:
        """Raise ValueError for a secret that is none, or is missing."""
        if self.secret is not None:
            secret_bytes(self.secret)
        elif self.webhooks:
            raise ValueError("`secret` is missing, which webhooks are signed with")
        for address in self.emails:
            if not address.isascii() or not EMAIL.fullmatch(address):
                raise ValueError(f"`emails`: {address!r} is no address like bob@example.com")

    def __repr__(self) -> str:
        return f"HouseOptions(webhooks={len(self.webhooks)}, emails={len(self.emails)})"


class AlertsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How alerts are delivered. Without `smtp` none goes by e-mail.

    Webhooks reach https on the usual ports of public addresses, unless these say otherwise.
    """

    allow: tuple[str, ...] = ()
    """Host names, addresses or networks of one's own that webhooks may reach."""
    allow_http: bool = False
    ports: tuple[Port, ...] = (443, 8443)
    smtp: SmtpOptions | None = None
    house: HouseOptions = HouseOptions()

    def __post_init__(self) -> None:
        """Raise ValueError for addresses that nothing could be sent to."""
        permit = Permit(self.fetch)  # which raises it for what `allow` cannot be
        for number, url in enumerate(self.house.webhooks):
            try:
                permit.location(url)
            except FetchRefused as why:  # the URL is not repeated: it may hold a credential
                raise ValueError(f"`house.webhooks`, number {number + 1}: {why.detail}") from why
        if self.house.emails and self.smtp is None:
            raise ValueError("`house.emails` needs `smtp`, the mail server to send by")

    @property
    def fetch(self) -> FetchOptions:
        """What webhooks may reach, and for how long."""
        return FetchOptions(
            allow=self.allow,
            allow_http=self.allow_http,
            ports=self.ports,
            max_bytes=POST_BYTES,
            timeout_s=POST_S,
            redirects=0,
        )
