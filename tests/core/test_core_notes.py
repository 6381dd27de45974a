"""What is said of a request that was changed has its bounds."""

from dragoman.core.notes import LONGEST_FIELD, MOST_NOTES, Change, Note, bounded


def test_what_is_usual_is_kept_as_it_is() -> None:
    notes = [Note(Change.DROPPED, f"u{n}", "x") for n in range(MOST_NOTES)]
    assert bounded([]) == ()
    assert bounded(notes) == tuple(notes)


def test_of_too_many_is_said_how_many_there_were() -> None:
    kept = bounded([Note(Change.DROPPED, f"u{n}", "x") for n in range(MOST_NOTES + 7)])
    assert len(kept) == MOST_NOTES + 1
    assert kept[-1] == Note(Change.DROPPED, "…", "7 more of such fields")


def test_a_long_name_is_cut() -> None:
    (note,) = bounded([Note(Change.RENAMED, "u" * 10_000, "x", "acme")])
    assert note == Note(Change.RENAMED, "u" * LONGEST_FIELD + "…", "x", "acme")
