"""Keys are made, found and changed, each change once and announced."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access import keyring
from dragoman.access.types import Changes, Key
from dragoman.core import ids
from dragoman.core.errors import InvalidRequest, NotFound
from dragoman.office import keys
from dragoman.store.custody import Pepper
from dragoman.store.sql import Database, Work

PREFIX = "sk-dm-v1-"
Make = Callable[..., tuple[str, Key]]


@pytest.fixture
def make(ledger: Database, pepper: Pepper) -> Make:
    def one(name: str, now: float = 100.0) -> tuple[str, Key]:
        return ledger.run_now(keys.create(name, prefix=PREFIX, pepper=pepper, now=now))

    return one


def changed(ledger: Database, since: int) -> Changes:
    return ledger.run_now(keyring.changes(since))


def test_a_new_key_is_stored_as_hash_and_verifier_only(
    ledger: Database, make: Make, pepper: Pepper
) -> None:
    text, key = make("  laptop ")
    assert ids.is_key(text, PREFIX)
    assert key == Key(
        hash=ids.key_hash(text),
        verifier=pepper.sign(text),
        name="laptop",
        label=ids.key_label(text, PREFIX),
        created_at=100.0,
    )
    assert ledger.run_now(keyring.by_hash(key.hash)) == key
    assert text not in repr(key)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\0b", "\udcff", "\u202e"])
def test_a_bad_name_is_refused_before_anything_is_written(
    ledger: Database, make: Make, name: str
) -> None:
    with pytest.raises(InvalidRequest):
        make(name)
    assert ledger.run_now(keys.every) == ()


def test_keys_are_listed_newest_first_with_those_that_are_off(ledger: Database, make: Make) -> None:
    made = [make(f"key {n}", now=float(n))[1] for n in range(3)]
    ledger.run_now(keys.disable(made[0].hash, 10.0))
    ledger.run_now(keys.revoke(made[1].hash, 10.0))
    listed = ledger.run_now(keys.every)
    assert [key.hash for key in listed] == [key.hash for key in reversed(made)]
    assert [key.disabled for key in listed] == [False, False, True]
    assert [key.revoked_at for key in listed] == [None, 10.0, None]


@pytest.mark.parametrize(
    "wanted",
    [
        lambda text, _: text,
        lambda _, key: key.hash,
        lambda _, key: key.hash[:8],
        lambda _, key: key.label,
        lambda _, key: key.label[:12],
        lambda _, key: key.name,
    ],
)
def test_a_key_is_found_by_all_that_people_know_of_it(
    ledger: Database, make: Make, wanted: Callable[[str, Key], str]
) -> None:
    others = [make(f"other {n}") for n in range(3)]
    text, key = make("laptop ü")
    assert all(other.label[:12] != key.label[:12] for _, other in others), "1 in 80,000"
    assert ledger.run_now(keys.find(wanted(text, key))) == key


@pytest.mark.parametrize("wanted", ["", "nobody", "0" * 64, "ü", "abc"])
def test_what_is_not_there_is_not_found(ledger: Database, make: Make, wanted: str) -> None:
    make("laptop")
    with pytest.raises(NotFound):
        ledger.run_now(keys.find(wanted))


def test_a_name_that_several_keys_have_is_refused_naming_them(ledger: Database, make: Make) -> None:
    _, first = make("laptop")
    _, second = make("laptop")
    with pytest.raises(InvalidRequest) as caught:
        ledger.run_now(keys.revoke("laptop", 1.0))
    assert "2 keys" in caught.value.message
    assert first.hash[:12] in caught.value.message
    assert second.label in caught.value.message
    ledger.run_now(keys.revoke(first.hash, 1.0))
    assert ledger.run_now(keys.find("laptop")) == second, "the revoked one is out of the way"


def test_a_key_pasted_by_mistake_is_not_repeated(ledger: Database) -> None:
    text = ids.new_key(PREFIX)
    with pytest.raises(NotFound) as caught:
        ledger.run_now(keys.find(text))
    assert text[16:] not in caught.value.message


@pytest.mark.parametrize(
    ("change", "disabled", "revoked_at"),
    [(keys.disable, True, None), (keys.revoke, False, 5.0)],
)
def test_a_change_is_written_and_announced_once(
    ledger: Database,
    make: Make,
    change: Callable[[str, float], Work[Key]],
    disabled: bool,  # noqa: FBT001  # a column of the table above
    revoked_at: float | None,
) -> None:
    _, key = make("laptop")
    before = changed(ledger, 0)
    assert before.keys == (key.hash,)
    after = ledger.run_now(change(key.hash, 5.0))
    assert (after.disabled, after.revoked_at, after.updated_at) == (disabled, revoked_at, 5.0)
    assert ledger.run_now(keyring.by_hash(key.hash)) == after
    assert changed(ledger, before.epoch) == Changes(before.epoch + 1, (key.hash,))
    assert ledger.run_now(change(key.hash, 9.0)) == after, "doing it again changes nothing"
    assert changed(ledger, before.epoch + 1) == Changes(before.epoch + 1, ())


def test_a_disabled_key_can_be_enabled_and_a_revoked_one_cannot(
    ledger: Database, make: Make
) -> None:
    _, key = make("laptop")
    ledger.run_now(keys.disable("laptop", 1.0))
    assert not ledger.run_now(keys.enable("laptop", 2.0)).disabled
    ledger.run_now(keys.revoke("laptop", 3.0))
    for change in (keys.enable, keys.disable):
        with pytest.raises(InvalidRequest, match="final"):
            ledger.run_now(change(key.hash, 4.0))


def test_only_what_changed_after_an_epoch_is_told(ledger: Database, make: Make) -> None:
    hashes = [make(f"key {n}")[1].hash for n in range(3)]
    assert changed(ledger, 0).epoch == 3
    assert changed(ledger, 2).keys == (hashes[2],)
    assert changed(ledger, 2**63 - 1) == Changes(3, ())


def test_many_changes_are_told_in_parts(
    ledger: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "MOST_CHANGES", 2)
    hashes = sorted(make(f"key {n}")[1].hash for n in range(3))
    assert changed(ledger, 0) == Changes(3, tuple(hashes[:2]), more=True)
    rest = ledger.run_now(keyring.changes(0, hashes[1]))
    assert rest == Changes(3, (hashes[2],))


@given(st.text())
def test_any_name_is_either_kept_or_refused(name: str) -> None:
    try:
        keys.create(name, prefix=PREFIX, pepper=Pepper(b""), now=0.0)
    except InvalidRequest:
        return
    assert name.strip().isprintable()
