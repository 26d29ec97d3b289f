"""Two sets side by side."""

from voltrace.report.against import compare, signature, tell

from .examples import created, mixed, reading, refused, request_id, rescheduled, stuck


def _compare(a, b):
    return compare(a[0].timelines, a[1], "real", b[0].timelines, b[1], "simulated")


def test_compare__same_variants_other_times__medians_and_ratio():
    found = _compare(reading(created(1), created(2)), reading(created(3, driver=1_400_000)))
    pair = next(p for p in found.pairs if p.name == "CreateVolumeFromSpecTask")
    assert (pair.here.n, pair.here.p50, pair.there.n, pair.there.p50, pair.ratio) == (2, "700 ms", 1, "1.40 s", 2.0)
    assert (found.shared, found.only_here, found.only_there) == (1, (), ())


def test_compare__variants_of_one_side__with_counts_and_an_example():
    found = _compare(reading(created(1), refused(3)), reading(created(4), rescheduled(5), rescheduled(6)))
    assert [(v.outcome, v.n, v.example) for v in found.only_here] == [("refused, over-quota", 1, request_id(3))]
    assert [(v.outcome, v.n, v.share, v.example) for v in found.only_there] == [("failed, driver-error", 2, "67 %", request_id(5))]
    assert [(o.outcome, o.here, o.there) for o in found.outcomes] == [("created", 1, 1), ("refused", 1, 0), ("failed", 0, 2)]


def test_compare__task_of_one_side_only__no_ratio():
    found = _compare(reading(refused(1)), reading(created(2)))
    pair = next(p for p in found.pairs if p.name == "VolumeCastTask")
    assert (pair.here.n, pair.here.p50, pair.ratio) == (0, "–", None)


def test_compare__nothing_on_one_side__still_a_comparison():
    found = _compare(reading(), mixed(20))
    assert (found.here_requests, found.shared, len(found.only_there)) == (0, 0, 5)


def test_signature__ids_and_times__do_not_matter():
    assert signature(*created(1)) == signature(*created(2, start=None))
    assert signature(*created(1)) != signature(*stuck(1))


def test_tell__rescheduled__names_what_did_not_succeed():
    assert tell(signature(*rescheduled()))[:3] == (
        "api 1: SUCCESS, 5 tasks", "scheduler 1: SUCCESS, 2 tasks", "volume 1: REVERTED, 5 tasks, 5 reverted; CreateVolumeFromSpecTask FAILURE",
    )  # fmt: skip
