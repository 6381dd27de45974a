"""Journals on disk: what is read back, what is refused, what is locked, what is deleted."""

import os
import shutil
import time
from pathlib import Path
from typing import Final

import pytest

from dragoman.store.journal import folder, frames
from dragoman.store.journal.folder import Ending, Home
from dragoman.store.journal.frames import FRAME_BYTES, Header, JournalRefused

BODIES: Final = [f"record {number}".encode() for number in range(10)]
SIZE: Final = FRAME_BYTES + len(BODIES[0])
FOREVER: Final = time.time() + 1e9


def fill(home: Home, bodies: list[bytes], start: int = 0, number: int = 1) -> None:
    """Append records that begin at `start` to a new segment, or to the first."""
    header = Header(home.first.incarnation, home.first.node, number, start)
    file = home.descriptor if number == 1 else folder.add_segment(home.path, header)
    salt = frames.salt_of(header.incarnation)
    for body in bodies:
        data = frames.encode(body, salt, start)
        folder.write_all(file, data)
        start += len(data)
    os.close(file)


def everything(path: Path, offset: int = 0) -> tuple[list[bytes], Ending | None]:
    """Read a journal to its end."""
    found: list[bytes] = []
    while (reading := folder.read(path, offset)).records:
        found += [record.payload for record in reading.records]
        offset = reading.records[-1].offset
    return found, reading.ending


def segment(home: Home, number: int = 1) -> Path:
    return home.path / f"{number:08}.journal"


def spoil(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return folder.create(tmp_path / "journal", "node-1")


def test_what_was_written_is_read_from_any_record_on(home: Home) -> None:
    fill(home, BODIES)
    for place in range(11):
        assert everything(home.path, place * SIZE) == (BODIES[place:], Ending.CLEAN)


def test_files_are_for_their_owner_alone(home: Home) -> None:
    fill(home, [])
    assert home.path.parent.stat().st_mode & 0o077 == 0
    assert home.path.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in home.path.iterdir())


def test_a_journal_goes_on_in_the_next_segment(home: Home) -> None:
    fill(home, BODIES[:4])
    fill(home, BODIES[4:], 4 * SIZE, 2)
    assert everything(home.path) == (BODIES, Ending.CLEAN)


def test_a_long_journal_is_read_in_parts(home: Home) -> None:
    bodies = [bytes([number]) * 900_000 for number in range(1, 6)]
    fill(home, bodies)
    assert len(folder.read(home.path, 0).records) == 2
    assert everything(home.path) == (bodies, Ending.CLEAN)


def test_a_torn_tail_ends_the_journal_and_is_told(home: Home) -> None:
    fill(home, BODIES)
    os.truncate(segment(home), segment(home).stat().st_size - 3)
    assert everything(home.path) == (BODIES[:9], Ending.TORN)
    assert f"{SIZE - 3} bytes after {9 * SIZE}" in folder.read(home.path, 9 * SIZE).detail


@pytest.mark.parametrize("garbage", [bytes(5000), b"\xff" * 5000, os.urandom(5000)])
def test_garbage_after_a_crash_is_a_torn_tail(home: Home, garbage: bytes) -> None:
    fill(home, BODIES)
    with segment(home).open("ab") as file:
        file.write(garbage)
    assert everything(home.path) == (BODIES, Ending.TORN)


def test_damage_before_whole_records_is_never_skipped(home: Home) -> None:
    fill(home, BODIES)
    begins = segment(home).stat().st_size - 10 * SIZE
    for place in range(begins + 3 * SIZE, begins + 4 * SIZE):
        spoil(segment(home), place)
        assert everything(home.path) == (BODIES[:3], Ending.DAMAGED)
        assert f"from {3 * SIZE} to {4 * SIZE}" in folder.read(home.path, 3 * SIZE).detail
        spoil(segment(home), place)
    assert everything(home.path) == (BODIES, Ending.CLEAN)


def test_a_file_cut_at_any_byte_gives_what_came_before_the_cut(home: Home) -> None:
    fill(home, BODIES)
    whole = segment(home).read_bytes()
    begins = len(whole) - 10 * SIZE
    for cut in range(len(whole) - 1, begins - 1, -1):
        os.truncate(segment(home), cut)
        fitting, rest = divmod(cut - begins, SIZE)
        ending = Ending.TORN if rest else Ending.CLEAN
        assert everything(home.path) == (BODIES[:fitting], ending)
    for cut in range(begins):
        segment(home).write_bytes(whole[:cut])
        with pytest.raises(JournalRefused):
            folder.read(home.path, 0)


def test_no_changed_byte_of_any_segment_goes_unnoticed(home: Home) -> None:
    fill(home, BODIES[:5])
    fill(home, BODIES[5:], 5 * SIZE, 2)
    for number in (1, 2):
        whole = segment(home, number).read_bytes()
        begins = len(whole) - 5 * SIZE
        for place in range(len(whole)):
            spoil(segment(home, number), place)
            if place < begins:
                with pytest.raises(JournalRefused):
                    folder.read(home.path, 0)
            else:
                before = 5 * (number - 1) + (place - begins) // SIZE
                ending = Ending.TORN if before == 9 else Ending.DAMAGED
                assert everything(home.path) == (BODIES[:before], ending)
            segment(home, number).write_bytes(whole)


def test_a_missing_segment_is_damage(home: Home) -> None:
    fill(home, BODIES[:4])
    fill(home, BODIES[4:7], 4 * SIZE, 2)
    fill(home, BODIES[7:], 7 * SIZE, 3)
    segment(home, 2).unlink()
    assert everything(home.path) == (BODIES[:4], Ending.DAMAGED)


def test_where_segments_overlap_whichever_is_whole_counts(home: Home) -> None:
    fill(home, BODIES[:8])
    fill(home, BODIES[4:], 4 * SIZE, 2)
    assert everything(home.path) == (BODIES, Ending.CLEAN)
    spoil(segment(home), segment(home).stat().st_size - 3 * SIZE)  # in the sixth record
    assert everything(home.path) == (BODIES, Ending.CLEAN)


def test_a_new_segment_that_was_never_filled_hides_nothing(home: Home) -> None:
    fill(home, BODIES)
    fill(home, BODIES[4:6], 4 * SIZE, 2)
    fill(home, [], 4 * SIZE, 3)
    assert everything(home.path) == (BODIES, Ending.CLEAN)


def test_an_offset_beyond_what_a_loss_of_power_left_is_the_end(home: Home) -> None:
    fill(home, BODIES)
    assert everything(home.path, 99 * SIZE) == ([], Ending.CLEAN)


def test_a_copy_of_a_journal_is_refused(home: Home) -> None:
    fill(home, BODIES)
    copy = home.path.with_name("ab" * 16)
    shutil.copytree(home.path, copy)
    with pytest.raises(JournalRefused, match=f"belongs to journal {home.path.name}.*Delete"):
        folder.read(copy, 0)


def test_a_copy_of_a_segment_is_refused(home: Home) -> None:
    fill(home, BODIES)
    shutil.copy(segment(home), segment(home, 2))
    with pytest.raises(JournalRefused, match="segment 1 under another name"):
        folder.read(home.path, 0)


def test_a_file_of_another_kind_is_refused_and_named(home: Home) -> None:
    fill(home, BODIES)
    segment(home, 2).write_bytes(b"#!/bin/sh\necho hello, I am a script\n")
    with pytest.raises(JournalRefused, match=r"00000002\.journal: It is no segment"):
        folder.read(home.path, 0)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalRefused, match="no segment"):
        folder.header_of(tmp_path)


def test_a_journal_is_locked_from_the_start_until_it_is_released(home: Home) -> None:
    assert folder.take_lock(home.path) is None
    home.lock.release()
    home.lock.release()
    taken = folder.take_lock(home.path)
    assert taken is not None
    assert folder.take_lock(home.path) is None
    taken.release()


def test_only_whole_journals_are_found(home: Home) -> None:
    root = home.path.parent
    (root / ("." + "ab" * 16)).mkdir()
    (root / "notes").mkdir()
    assert list(folder.find(root)) == [home.path]
    assert list(folder.find(root / "nowhere")) == []


def test_a_draft_that_was_given_up_is_swept(home: Home) -> None:
    draft = home.path.with_name("." + "ab" * 16)
    draft.mkdir()
    folder.sweep(draft.parent, before=0)
    assert draft.exists()
    folder.sweep(draft.parent, before=FOREVER)
    assert not draft.exists()
    assert home.path.exists()


def test_a_disk_that_takes_no_header_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder.create(tmp_path, "node-1")

    def full(_file: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        folder.create(tmp_path, "node-1")
    with pytest.raises(OSError, match="No space"):
        folder.add_segment(home.path, Header(home.path.name, "node-1", 2, 0))
    assert list(tmp_path.iterdir()) == [home.path]
    assert {file.name for file in home.path.iterdir()} == {"lock", "00000001.journal"}


def test_what_was_applied_long_ago_is_deleted_and_nothing_else(home: Home) -> None:
    for number, start in ((1, 0), (2, 3), (3, 6)):
        fill(home, BODIES[start : start + 3], start * SIZE, number)
    left: list[tuple[int, float, list[int]]] = [
        (9 * SIZE, 0, [1, 2, 3]),
        (3 * SIZE - 1, FOREVER, [1, 2, 3]),
        (6 * SIZE - 1, FOREVER, [2, 3]),
        (9 * SIZE, FOREVER, [3]),
    ]
    for applied, before, numbers in left:
        folder.prune(home.path, applied, before)
        assert [number for number in (1, 2, 3) if segment(home, number).exists()] == numbers
    assert everything(home.path, 6 * SIZE) == (BODIES[6:9], Ending.CLEAN)
    assert not folder.remove(home.path, before=0)
    assert folder.remove(home.path, before=FOREVER)
    assert not home.path.exists()
