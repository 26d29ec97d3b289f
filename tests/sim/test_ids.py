"""Random ids: uuids of version 4, all different, the same for the same seed."""

from uuid import RFC_4122, UUID

from voltrace.sim.ids import Ids


def test_take__thousands__are_different_uuids_of_version_4():
    ids = Ids("a")
    taken = [uuid for n in range(300) for uuid in ids.take(n % 13)] + [ids.one()]
    assert len(taken) == len(set(taken)) > 1500
    for text in taken:
        uuid = UUID(text)
        assert uuid.version == 4 and uuid.variant == RFC_4122 and str(uuid) == text


def test_take__same_seed__same_ids_however_they_are_taken():
    one, other = Ids("b"), Ids("b")
    assert [one.one() for _ in range(50)] == other.take(20) + other.take(30)
    assert Ids("c").take(3) != Ids("b").take(3)


def test_take__none__nothing():
    assert Ids("d").take(0) == []
