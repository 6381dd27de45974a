"""A bundle gives back what it took, or says that it is damaged."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.store.bundle import Damaged, reading, writing

LINES = [f"line {n}\n".encode() for n in range(1000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bundle.tar"


@pytest.fixture
def made(path: Path) -> Path:
    with writing(path) as bundle:
        bundle.add("a", b"text")
        bundle.add_lines("b", LINES)
    return path


def test_what_went_in_comes_out(made: Path) -> None:
    with reading(made) as bundle:
        assert bundle.text("a") == b"text"
        assert list(bundle.lines("b")) == LINES
        assert bundle.names == ("a", "b.gz", "SHA256SUMS")
        with pytest.raises(Damaged, match="holds no c"):
            bundle.text("c")


def test_it_is_for_its_owner_only_and_nothing_else_is_left(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [each.name for each in made.parent.iterdir()] == [made.name]


def test_no_file_is_ever_replaced(made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(FileExistsError), writing(made) as bundle:
        bundle.add("a", b"other")
    assert made.read_bytes() == before


def test_nothing_is_left_of_one_that_was_not_finished(path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one\n"
        raise LookupError

    with pytest.raises(LookupError), writing(path) as bundle:
        bundle.add_lines("a", broken())
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a tar", bytes(10_240)])
def test_a_file_that_is_no_bundle_is_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Damaged), reading(path):
        pass


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_changes_nothing(made: Path, place: int, bit: int) -> None:
    whole = made.read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    made.write_bytes(changed)
    try:
        with reading(made) as bundle:
            assert (bundle.text("a"), list(bundle.lines("b"))) == (b"text", LINES)
    except Damaged:
        pass
    finally:
        made.write_bytes(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(min_value=0))
def test_one_that_was_cut_is_noticed_or_lacks_nothing(made: Path, length: int) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[: length % len(whole)])
    try:
        with reading(made) as bundle:
            assert (bundle.text("a"), list(bundle.lines("b"))) == (b"text", LINES)
    except Damaged:
        pass
    finally:
        made.write_bytes(whole)
