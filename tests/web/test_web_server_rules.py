"""What the server decides without a socket: names, room, patience, answers, pressure."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import Unreadable
from dragoman.web import shedding
from dragoman.web.lanes import Tier
from dragoman.web.options import ServerOptions
from dragoman.web.server import answer
from dragoman.web.server.chunks import Chunks
from dragoman.web.server.deadlines import Arrival, body_delay, period
from dragoman.web.server.listener import caps_of, limits_of, tls, url_of
from dragoman.web.server.names import is_trusted, name_of
from dragoman.web.server.origins import Origins
from dragoman.web.shedding import Pressure, refuses, smoothed
from tests.web.wire import LIMITS


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"a.example", "a.example"),
        (b"A.Example.:80", "a.example"),
        (b"127.0.0.1:4000", "127.0.0.1"),
        (b"[::1]:4000", "::1"),
        (b"[0:0::1]", "::1"),
        (b"[not]", None),
        (b"[::1", None),
        (b".", None),
        (b"", None),
        (b"a b", None),
        (b"a/b", None),
        (b"a" * 300, None),
    ],
)
def test_a_host_is_a_name_or_an_address(host: bytes, name: str | None) -> None:
    assert name_of(host) == name


@pytest.mark.parametrize(
    ("name", "listed", "trusted"),
    [
        ("localhost", ("api.example",), True),
        ("app.localhost", ("api.example",), True),
        ("127.8.8.8", ("api.example",), True),
        ("::1", ("api.example",), True),
        ("api.example", ("API.example",), True),
        ("b.example", ("api.example",), False),
        ("a.b.example", ("*.b.example",), True),
        ("b.example", ("*.b.example",), False),
        ("xb.example", ("*.b.example",), False),
        ("anything.example", ("*",), True),
        ("10.0.0.1", ("api.example",), True),
        ("8.8.8.8", ("api.example",), False),
        ("gateway", (), True),
        ("8.8.8.8", (), True),
        ("rebound.example", (), False),
    ],
)
def test_a_gateway_is_called_by_names_that_nobody_else_can_have(
    name: str, listed: tuple[str, ...], *, trusted: bool
) -> None:
    assert is_trusted(name, listed) is trusted


def test_the_greediest_gives_up_what_has_waited_longest() -> None:
    origins: Origins[str] = Origins(most=4, most_each=3)
    modest, greedy = origins.of("modest"), origins.of("greedy")
    origins.add(modest, "m")
    for line in "abc":
        origins.add(greedy, line)
    assert origins.crowded(origins.of("new")) is greedy
    assert next(iter(greedy.quiet)) == "a"
    assert origins.crowded(modest) is greedy
    greedy.quiet.clear()
    origins.look_again()
    assert origins.crowded(origins.of("new")) is modest
    modest.quiet.clear()
    origins.look_again()
    newcomer = origins.of("new")
    assert origins.crowded(newcomer) is newcomer
    assert not newcomer.quiet


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=30))
def test_whoever_holds_most_and_waits_gives_up_one_however_connections_come_and_go(
    moves: list[tuple[str, bool, bool]],
) -> None:
    origins: Origins[int] = Origins(most=4, most_each=99)
    lines: dict[str, dict[int, bool]] = {"a": {}, "b": {}, "c": {}}
    for number, (address, opens, waits) in enumerate(moves):
        origin, mine = origins.of(address), lines[address]
        if opens:
            mine[number] = waits
            origins.add(origin, number)
            if not waits:
                origin.quiet.pop(number)
        elif mine:
            first = next(iter(mine))
            del mine[first]
            origins.remove(origin, first)
        assert {each: origins.of(each).held for each in lines} == {
            each: len(held) for each, held in lines.items()
        }
        before = origins.crowded(origins.of("d"))
        origins.look_again()
        found = origins.crowded(origins.of("d"))
        has_room = sum(map(len, lines.values())) < 4
        quiet = {each: len(held) for each, held in lines.items() if any(held.values())}
        if has_room:
            assert found is None
        else:
            assert found is not None
            assert before is not None
            assert before.address in (quiet or {"d"})
            assert quiet.get(found.address, 0) == max(quiet.values(), default=0)
            assert found.address in (quiet or {"d"})
    assert origins.held == sum(map(len, lines.values()))


def test_an_address_has_its_limit_unless_it_is_a_proxy() -> None:
    origins: Origins[int] = Origins(most=100, most_each=2)
    origin = origins.of("a")
    for line in range(2):
        assert origins.crowded(origin) is None
        origins.add(origin, line)
    assert origins.crowded(origin) is origin
    assert origins.crowded(origin, exempt=True) is None
    assert origins.of("a") is origin
    for line in range(2):
        origins.remove(origin, line)
    assert (origins.held, origin.held, origin.quiet) == (0, 0, {})
    assert origins.of("a") is not origin


@pytest.mark.parametrize(
    ("began", "last", "size", "now", "says"),
    [
        (0, 0, 0, 4.9, None),
        (0, 5, 5119, 5, "less than 1024"),
        (0, 5, 5120, 5, None),
        (0, 60, 10**6, 74.9, None),
        (0, 60, 10**6, 75, "stopped arriving for 15 s"),
        (0, 120, 10**9, 120, "did not arrive within 120 s"),
    ],
)
def test_a_body_has_to_come_and_to_go_on_coming(
    began: float, last: float, size: int, now: float, says: str | None
) -> None:
    told = body_delay(Arrival(began, last, size), now, LIMITS)
    assert told == says or (says is not None and told is not None and says in told)


def test_deadlines_are_looked_at_often_enough_for_the_shortest() -> None:
    assert period(LIMITS) == 1.0
    assert period(limits_of(ServerOptions(header_s=0.4))) == 0.1


@pytest.mark.parametrize(
    ("tier", "pressure", "served"),
    [
        (Tier.INFERENCE, Pressure(9, 0.49), True),
        (Tier.INFERENCE, Pressure(9, 0.5), False),
        (Tier.INFERENCE, Pressure(10), False),
        (Tier.INFERENCE, Pressure(9, waiting=10_000), True),
        (Tier.INFERENCE, Pressure(9, waiting=shedding.ROOM - 1, overloaded=True), True),
        (Tier.INFERENCE, Pressure(9, waiting=shedding.ROOM, overloaded=True), False),
        (Tier.INFERENCE, Pressure(9, late=True), True),
        (Tier.INFERENCE, Pressure(9, late=True, overloaded=True), False),
        (Tier.CONTROL, Pressure(7, 0.09), True),
        (Tier.CONTROL, Pressure(8), False),
        (Tier.CONTROL, Pressure(0, 0.1), False),
        (Tier.CONTROL, Pressure(0, overloaded=True), False),
        (Tier.HEALTH, Pressure(1000, 9.0, 1000, overloaded=True), True),
        (Tier.HEALTH, Pressure(0, memory=1.0, stopping=True), True),
        (Tier.READINESS, Pressure(1000, 9.0, 1000, overloaded=True, memory=1.0), True),
        (Tier.READINESS, Pressure(0, stopping=True), False),
        (Tier.INFERENCE, Pressure(0, stopping=True), True),
        (Tier.INFERENCE, Pressure(0, memory=0.94), True),
        (Tier.INFERENCE, Pressure(0, memory=0.95), False),
        (Tier.CONTROL, Pressure(0, memory=0.95), False),
    ],
)
def test_who_is_turned_away_depends_on_who_it_is(
    tier: Tier, pressure: Pressure, *, served: bool
) -> None:
    assert refuses(tier, pressure, 10) is not served


def test_everybody_is_told_to_come_back_but_not_at_once() -> None:
    rng = Random(1)
    assert {shedding.back_after_s(rng) for _ in range(100)} == {1, 2, 3, 4, 5}
    told = shedding.overloaded(3)
    assert (told.status, told.retry_after_s) == (503, 3)


def test_one_long_pause_is_no_overload_and_many_are() -> None:
    once = smoothed(0.0, 30.0)
    assert once <= shedding.TOLERATED_S[Tier.CONTROL]
    lag_s = 0.0
    for _ in range(30):
        lag_s = smoothed(lag_s, 0.6)
    assert lag_s > shedding.TOLERATED_S[Tier.INFERENCE]
    for _ in range(30):
        lag_s = smoothed(lag_s, 0.0)
    assert lag_s < shedding.TOLERATED_S[Tier.CONTROL]


def test_what_may_go_on_at_once_follows_from_the_files_that_may_be_open() -> None:
    caps = caps_of(ServerOptions(), 20_000)
    assert (caps.connections, caps.per_address, caps.requests) == (10_000, 5_000, 10_000)
    chosen = ServerOptions(connections=10, connections_per_address=3, requests=5)
    caps = caps_of(chosen, 20_000)
    assert (caps.connections, caps.per_address, caps.requests) == (10, 3, 5)
    assert [caps_of(chosen, files).excused for files in (160, 20_000)] == [10, 64]


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls(ServerOptions()) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:4000"), ("::1", "http://[::1]:4000")],
)
def test_an_address_is_one_that_can_be_pasted(host: str, url: str) -> None:
    assert url_of("http", host, 4000) == url


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb"])
def test_a_field_cannot_break_an_answer_apart(value: bytes) -> None:
    with pytest.raises(ValueError, match="line break"):
        answer.head(200, [(b"a", value)], b"")


def test_a_head_says_its_date_and_fields_and_a_status_nobody_knows_has_no_words() -> None:
    date = answer.date_line(784111777.0)
    assert date == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    head = answer.head(200, [(b"a", b"b")], date)
    assert head == b"HTTP/1.1 200 OK\r\n" + date + b"a: b\r\n\r\n"
    assert answer.head(529, [], b"") == b"HTTP/1.1 529 \r\n\r\n"


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=8),
    st.binary(max_size=20),
    st.lists(st.integers(1, 30), max_size=40),
)
def test_chunks_are_put_together_however_they_are_cut(
    pieces: list[bytes], behind: bytes, cuts: list[int]
) -> None:
    data = b"".join(b"%x;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    data += b"0\r\nTrailer: t\r\n\r\n"
    chunks, body, rest = Chunks(), b"", data
    for cut in cuts:
        if chunks.done:
            break
        body += chunks.feed(rest[:cut])
        rest = rest[cut:]
    if not chunks.done:
        body += chunks.feed(rest + behind)
        assert chunks.rest == behind
    assert chunks.done
    assert body == b"".join(pieces)


WORDS = st.sampled_from([b"0", b"3", b"abc", b"\r\n", b"\r", b"\n", b";", b" ", b"a: b", b"\x00"])


@given(st.lists(WORDS, max_size=12).map(b"".join), st.integers(0, 30))
def test_what_is_refused_in_one_piece_is_refused_in_two(data: bytes, at: int) -> None:
    assert outcome(data) == outcome(data[:at], data[at:])


def outcome(*parts: bytes) -> tuple[bytes, bytes] | str:
    """Return the body and what came behind it, `more` if it goes on, `refused` if it is none."""
    chunks, body = Chunks(), b""
    for number, part in enumerate(parts):
        try:
            body += chunks.feed(part)
        except Unreadable:
            return "refused"
        if chunks.done:
            return body, chunks.rest + b"".join(parts[number + 1 :])
    return "more"


@pytest.mark.parametrize(
    "data",
    [
        b"1\r\na\r\n" * 20_000,
        (b"1;" + b"x" * 250 + b"\r\na\r\n") * 100,
        b"0\r\n" + b"a: b\r\n" * 2000,
    ],
    ids=["tiny chunks", "extensions", "trailers"],
)
def test_work_for_nothing_is_not_done(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Chunks().feed(data)


@pytest.mark.parametrize("lag_s", [0.0, 0.05, 0.1, 0.6])
@pytest.mark.parametrize("requests", [0, 79, 80, 100])
def test_nobody_is_turned_away_while_it_is_calm_and_they_are_few(
    lag_s: float, requests: int
) -> None:
    refused = any(refuses(tier, Pressure(requests, lag_s), 100) for tier in Tier)
    assert refused is not (shedding.is_calm(lag_s, 0.0) and requests < shedding.few(100))
