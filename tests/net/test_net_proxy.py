"""Which requests go by which proxy: what settings and environment say, by curl's conventions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.secret import Secret
from dragoman.net.options import NetOptions
from dragoman.net.proxy import Proxies, Proxy, parse, proxies
from dragoman.net.url import Origin, locate

P1 = Proxy("http", "p1", 3128)
P2 = Proxy("http", "p2", 80)


def route(found: Proxies, url: str) -> Proxy | None:
    return found.route(locate(url).origin)


def of(environ: dict[str, str], **settings: object) -> Proxies:
    return proxies(NetOptions(**settings), environ)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://p1:3128"}, None, P1),
        ({"https_proxy": "http://p1:3128"}, None, P1),
        ({"HTTP_PROXY": "http://p1:3128"}, P1, None),
        ({"http_proxy": "p1:3128", "https_proxy": "http://p2/"}, P1, P2),
        ({"ALL_PROXY": "http://p1:3128"}, P1, P1),
        ({"all_proxy": "http://p1:3128", "HTTP_PROXY": "http://p2"}, P2, P1),
        ({"https_proxy": "http://p1:3128", "HTTPS_PROXY": "http://p2"}, None, P1),
        ({"https_proxy": "", "HTTPS_PROXY": " http://p2 "}, None, P2),
        ({"HTTPS_PROXY": "  "}, None, None),
    ],
)
def test_the_environment_names_a_proxy_per_scheme(
    environ: dict[str, str], http: Proxy | None, https: Proxy | None
) -> None:
    found = of(environ)
    assert (found.http, found.https) == (http, https)


def test_the_settings_come_before_the_environment() -> None:
    environ = {"HTTPS_PROXY": "http://p2", "NO_PROXY": "a.test"}
    found = of(environ, proxy="http://p1:3128")
    assert (route(found, "https://b.test"), route(found, "http://b.test")) == (P1, P1)
    assert route(found, "https://a.test") is None
    assert route(of(environ, no_proxy=("b.test",)), "https://a.test") == P2
    assert route(of(environ, proxy="direct"), "https://b.test") is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "exempt"),
    [
        ("", "https://a.test", False),
        ("*", "https://a.test", True),
        ("a.test", "https://a.test", True),
        ("a.test", "https://A.TEST", True),
        ("A.Test", "https://a.test", True),
        ("a.test", "https://b.a.test", True),
        (".a.test", "https://b.a.test", True),
        (".a.test", "https://a.test", True),
        ("*.a.test", "https://b.a.test", True),
        ("a.test", "https://ba.test", False),
        ("a.test", "https://a.test.b", False),
        ("a.test.", "https://a.test", True),
        ("a.test", "https://a.test.", True),
        ("x,a.test", "https://a.test", True),
        ("x, a.test", "https://a.test", True),
        ("x a.test", "https://a.test", True),
        ("a.test:8443", "https://a.test:8443", True),
        ("a.test:8443", "https://a.test", False),
        ("*:8443", "https://a.test:8443", True),
        ("*:8443", "https://a.test", False),
        (".", "https://a.test", False),
        (":443", "https://a.test", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://a.test", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:81", "http://10.1.2.3:81", True),
        ("10.1.2.3:81", "http://10.1.2.3:82", False),
        ("fd00::/8", "https://[fd00::1]", True),
        ("fd00::1", "https://[fd00:0::1]", True),
        ("[fd00::1]", "https://[fd00::1]", True),
        ("[fd00::1]:81", "http://[fd00::1]:81", True),
        ("[fd00::1]:81", "http://[fd00::1]", False),
        ("fd00::/8", "https://10.0.0.1", False),
        ("10.0.0.0/8", "https://[::ffff:10.1.2.3]", True),
        ("10.0.0.0/8", "https://[::ffff:11.1.2.3]", False),
        ("10.1.2.3", "https://[::ffff:a01:203]", True),
        ("::ffff:10.0.0.0/104", "https://10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "https://[::ffff:10.1.2.3]", True),
        ("::ffff:10.0.0.0/104", "https://11.1.2.3", False),
        ("[::ffff:10.1.2.3]:81", "http://10.1.2.3:81", True),
        ("::ffff:0:0/96", "https://10.1.2.3", True),
        ("::/0", "https://[fd00::1]", True),
        ("::/0", "https://10.1.2.3", False),
    ],
)
@pytest.mark.parametrize("spelling", ["NO_PROXY", "no_proxy"])
def test_no_proxy(no_proxy: str, url: str, spelling: str, *, exempt: bool) -> None:
    found = of({"ALL_PROXY": "http://p1:3128", spelling: no_proxy})
    assert route(found, url) == (None if exempt else P1)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]",
     "[::ffff:127.0.0.1]"],
)  # fmt: skip
def test_this_machine_is_never_reached_by_a_proxy(host: str) -> None:
    assert route(of({"ALL_PROXY": "http://p1"}), f"http://{host}:11434/v1") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://p1:3128", P1),
        ("http://P1:3128/", P1),
        ("p1:3128", P1),
        ("p2", P2),
        ("https://p1", Proxy("https", "p1", 443)),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("http://u:p@p1:3128", Proxy("http", "p1", 3128, Secret("Basic dTpw"))),
        ("http://u@p1:3128", Proxy("http", "p1", 3128, Secret("Basic dTo="))),
        ("http://u%40x:p%3A%2F@p1:3128", Proxy("http", "p1", 3128, Secret("Basic dUB4OnA6Lw=="))),
    ],
)
def test_a_proxy_is_read_from_a_url_or_from_host_and_port(url: str, expected: Proxy) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("socks5://u:hunter2@p1:1080", "socks5"),
        ("ftp://p1", "ftp"),
        ("http://", "URL"),
        ("http://u:hunter2@p1:99999", "port"),
        ("http://u:hunter2@p1/path", "ends after"),
        ("http://p1/?hunter2", "ends after"),
        ("http://ä", "ASCII"),
        ("http://[::1", ""),
    ],
)
def test_what_is_no_proxy_is_refused_by_name_and_without_its_password(url: str, why: str) -> None:
    for environ, settings, source in (
        ({"https_proxy": url}, {}, "https_proxy"),
        ({"ALL_PROXY": url}, {}, "ALL_PROXY"),
        ({}, {"proxy": url}, "net.proxy"),
    ):
        with pytest.raises(ValueError, match=f"^{source}: .*{why}") as refusal:
            of(environ, **settings)
        assert "hunter2" not in str(refusal.value)


def test_a_password_is_not_printed() -> None:
    proxy = parse("http://u:hunter2@p1:3128")
    assert "hunter2" not in f"{proxy!r} {proxy}"
    assert "dTpodW50ZXIy" not in repr(proxy)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_read_or_refused(url: str, no_proxy: str) -> None:
    try:
        found = of({"ALL_PROXY": url, "NO_PROXY": no_proxy})
    except ValueError:
        return
    found.route(Origin("https", "a.test", 443))
