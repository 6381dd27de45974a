"""The section `alerts:`: what goes without saying, what is refused, and what is never printed."""

from pathlib import Path
from typing import Any

import pytest

from dragoman.config import ConfigError, Options, load
from dragoman.office.alert_options import AlertsOptions

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SMTP = "smtp: {host: mail.example.com, from: a@example.com"


def loaded(tmp_path: Path, text: str) -> AlertsOptions:
    file = tmp_path / "dragoman.yaml"
    file.write_text(f"alerts: {{{text}}}")
    return load(file, {}).alerts


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("house: {webhooks: ['https://a.example/']}", "secret"),
        (f"house: {{secret: {SECRET[:-3]}}}", "whsec_"),
        ("house: {emails: [a@example.com]}", "smtp"),
        (f"{SMTP}, password: x}}", "belong together"),
        (f"{SMTP}, username: me}}", "belong together"),
        (f"{SMTP}, username: me, password: x, starttls: false}}", "TLS only"),
        ("smtp: {host: mail.example.com}", "from"),
        ("ports: [0]", "ports"),
        ("colour: red", "colour"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        loaded(tmp_path, text)


def test_a_password_goes_over_tls_from_the_beginning_on_its_port(tmp_path: Path) -> None:
    options = loaded(tmp_path, f"{SMTP}, port: 465, starttls: false, username: me, password: x}}")
    assert options.smtp is not None
    assert options.smtp.secret is not None
    assert options.smtp.secret.reveal() == "x"


def test_secrets_come_from_the_environment_and_are_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text(
        "alerts: {smtp: {host: h, from: a@example.com, username: me, password: '${MAIL}'},"
        f" house: {{webhooks: ['https://a.example/token'], secret: {SECRET}}}}}"
    )
    environ: dict[str, Any] = {"MAIL": "hunter2"}
    options = load(file, environ)
    assert options.alerts.smtp is not None
    assert options.alerts.smtp.password == "hunter2"
    for secret in ("hunter2", SECRET, "token"):
        assert secret not in repr(options)
    assert load(file, environ | {"DRAGOMAN__ALERTS__SMTP__PASSWORD": "other"}) != options


def test_without_a_word_only_public_https_is_reached_for_five_seconds() -> None:
    fetch = Options().alerts.fetch
    assert (fetch.allow, fetch.allow_http, fetch.ports) == ((), False, (443, 8443))
    assert (fetch.timeout_s, fetch.redirects, fetch.max_bytes) == (5.0, 0, 65_536)
