"""The scheduler's filters and weighers: what they decide, and the lines that tell it, release by release."""

import re

import pytest

from voltrace.sim.extra_specs import first_mismatch, satisfies

from .clouds import cloud, run

THIN = {"name": "t", "total_gb": 10, "thin": True, "max_over_subscription_ratio": 2.0}


def _lines(scenario, release="2026.2", requests=1, **options):
    return run(scenario, release, requests, **options)[0]["scheduler"]


def _said(lines, pattern):
    return [m[0] for m in (re.search(pattern, line) for line in lines) if m]


@pytest.mark.parametrize(
    ("value", "required", "holds"),
    [
        ("gold", "gold", True),
        ("gold", "silver", False),
        (True, "<is> True", True),
        ("yes", "<is> true", True),
        (False, "<is> True", False),
        ("all-flash", "<in> flash", True),
        ("ssd", "<or> hdd <or> ssd", True),
        ("ssd", "<or> hdd", False),
        (7, ">= 5", True),
        (7, "= 5", True),  # at least, for historical reasons
        (7, "== 5", False),
        (7, "!= 5", True),
        ("b", "s> a", True),
        ("5", "s== 5", True),
        ("gold", ">= 5", False),
        ("gold", "", False),
    ],
)
def test_extra_spec__operators__compare_as_documented(value, required, holds):
    assert satisfies(value, required) is holds


def test_extra_spec__lists_and_scopes__any_item_and_only_capabilities():
    capabilities = {"storage_protocol": ["iSCSI", "iscsi"], "qos": {"iops": 5}}
    assert first_mismatch({"storage_protocol": "iscsi", "vendor:x": "y", "capabilities:qos:iops": ">= 5"}, capabilities) is None
    assert first_mismatch({"qos:iops": "9"}, capabilities) is None
    lacking = first_mismatch({"capabilities:raid": "6"}, capabilities)
    assert lacking.lacks == "raid"
    assert first_mismatch({"storage_protocol": "FC"}, capabilities).capability == ["iSCSI", "iscsi"]


@pytest.mark.parametrize("release", ["queens", "train"])
def test_thin_pool__until_train__refused_by_the_ratio(release):
    said = _said(_lines(cloud({"sizes": [9]}, backends=[THIN]), release, 2, arrivals="every:5"), r"Insufficient free.*|requested / avail.: 9/10.0 ")
    assert said == ["requested / avail): 9/10.0 ", "Insufficient free virtual space (2.0GB) to accommodate thin provisioned 9GB volume on host controller@t#t."]
    said = _said(_lines(cloud({"sizes": [21]}, backends=[THIN]), release), r"WARNING.*Insufficient free.*")
    assert said[0].endswith(
        "Insufficient free space for thin provisioning. The ratio of provisioned capacity over total capacity 2.10 has exceeded"
        " the maximum over subscription ratio 2.00 on host controller@t#t."
    )


@pytest.mark.parametrize("release", ["yoga", "2026.2"])
def test_thin_pool__since_yoga__refused_by_what_is_left_of_the_promise(release):
    lines = _lines(cloud({"sizes": [9]}, backends=[THIN]), release, 3, arrivals="every:5")
    assert _said(lines, r"requested / avail.*?\{\{|Insufficient .*") == [
        "requested / avail): 9/20.0 {{",
        "requested / avail): 9/11.0 {{",
        "Insufficient free virtual space (2.0GB) to accommodate thin provisioned 9GB volume on host controller@t#t.",
    ]
    assert "'max_over_subscription_ratio': 2.0, 'total_available_capacity': 20.0" in _said(lines, "Storage Capacity factors.*")[0]
    assert len(_said(lines, "Checking provisioning for request of 9 GB. Backend: host 'controller@t#t'")) == 3
    assert not _said(lines, "does not support thin provisioning")


def test_thin_pool__type_asks_for_thick__free_room_counts():
    types = [{"name": "thick", "specs": {"provisioning:type": "thick"}}]
    lines = _lines(cloud({"sizes": [11]}, backends=[THIN], types=types))
    assert _said(lines, "Insufficient free space for volume creation on host controller@t#t .requested / avail.: 11/10.0")
    assert not _said(lines, "Checking provisioning|fails resource_type")


def test_thin_pool__ratio_below_one__filtered_out():
    lines = _lines(cloud(backends=[THIN | {"max_over_subscription_ratio": 0.5}]))
    assert _said(lines, "Filtering out host controller@t#t with an invalid maximum over subscription ratio of 0.50. The ratio should be a minimum of 1.0.")


def test_reserved_and_used__thick_pool__leave_less():
    backend = {"name": "b", "total_gb": 100, "used_gb": 60, "reserved_percentage": 25}
    lines = _lines(cloud({"sizes": [15]}, backends=[backend]), requests=2, arrivals="every:5")
    assert _said(lines, r"requested / avail.*?\{\{|Insufficient .*") == [
        "requested / avail): 15/15.0 {{",
        "Insufficient free space for volume creation on host controller@b#b (requested / avail): 15/0.0",
    ]
    assert "(requested / avail): 15/15.0" in "".join(_lines(cloud({"sizes": [15]}, backends=[backend]), "queens"))


def test_pool__without_any_room__says_so():
    assert _said(_lines(cloud(backends=[{"name": "b", "total_gb": 0}])), "Total capacity is 0.00 on host controller@b#b.")


def test_room__unknown__passes_and_weighs_lowest():
    lines = _lines(cloud(backends=[{"name": "u", "total_gb": "unknown"}, {"name": "b", "total_gb": 1}]))
    assert _said(lines, "'total_capacity_gb': 'unknown', 'free_capacity_gb': 'unknown'")
    assert _said(lines, r"\{max: 1.0, min: -1\}") and _said(lines, "Choosing controller@b#b")


def test_zones__a_request_for_one__the_other_s_backend_is_filtered_out():
    backends = [{"name": "a", "total_gb": 100}, {"name": "b", "total_gb": 5, "zone": "two"}]
    lines, truths = run(cloud({"zone": "two"}, backends=backends))
    assert _said(lines["scheduler"], "Starting with 2 host|Filter .* returned 1 host") == [
        "Starting with 2 host",
        *(f"Filter {name} returned 1 host" for name in ("AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter")),
    ]
    assert truths[0]["backend"] == "controller@b#b" and truths[0]["availability_zone"] == "two"


def test_capabilities__lacking_or_different__told_and_filtered_out():
    backends = [{"name": "a"}, {"name": "b", "capabilities": {"tier": "gold"}}, {"name": "c", "capabilities": {"tier": "tin", "n": 3}}]
    lines, truths = run(cloud(backends=backends, types=[{"name": "gold", "specs": {"tier": "gold"}}]))
    assert _said(lines["scheduler"], "Backend doesn't provide capability 'tier' ")
    assert _said(lines["scheduler"], 'Volume type extra spec requirement "tier=gold" does not match reported capability "tin"')
    assert len(_said(lines["scheduler"], "fails resource_type extra_specs requirements")) == 2
    assert _said(lines["scheduler"], "'tier': 'tin', 'n': 3, ")
    assert truths[0]["backend"] == "controller@b#b"


def test_pools__of_one_backend__listed_reported_and_chosen_apart():
    backend = {"name": "a", "total_gb": 10, "pools": [{"name": "p"}, {"name": "q", "total_gb": 12}]}
    lines, truths = run(cloud({"sizes": [3]}, backends=[backend], background_s=60), requests=3, arrivals="every:70")
    assert [t["backend"] for t in truths] == ["controller@a#q", "controller@a#p", "controller@a#q"]
    assert _said(lines["scheduler"], r"'pools': \[\{'pool_name': 'p'.*\}, \{'pool_name': 'q'")
    assert _said(
        lines["scheduler"], r"'name_to_id': 'controller@a#p'.*'name_to_id': 'controller@a#q'.*'type': 'backend', 'name_to_id': 'controller@a', 'total': 22.0"
    )
    assert {re.search(r"cinder-volume\[(\d+)\]", line)[1] for line in lines["volume"]}.__len__() == 1


@pytest.mark.parametrize(("more", "backend"), [({}, "a"), ({"capacity_weight_multiplier": -1.0}, "b"), ({"weighers": ["AllocatedCapacityWeigher"]}, "b")])
def test_weighers__second_volume__spread_or_stack(more, backend):
    backends = [{"name": "a", "total_gb": 50}, {"name": "b", "total_gb": 20}]
    lines, truths = run(cloud(backends=backends, **more), requests=2, arrivals="every:5")
    assert truths[1]["backend"] == f"controller@{backend}#{backend}"
    weigher = more.get("weighers", ["CapacityWeigher"])[0]
    assert _said(lines["scheduler"], f"Weigher {weigher} returned")


def test_attempted_hosts__filter_on__another_backend_is_tried():
    filters = ["CapacityFilter", "IgnoreAttemptedHostsFilter"]
    backends = [{"name": "a", "total_gb": 50}, {"name": "b", "total_gb": 20}]
    lines, truths = run(cloud({"fault": "driver-fails"}, backends=backends, filters=filters))
    assert _said(lines["scheduler"], r"Backend .*Previously tried backends: \[[^]]*\]")[2:4] == [
        "Backend controller@a#a fails.  Previously tried backends: ['controller@a#a']",
        "Backend controller@b#b passes.  Previously tried backends: ['controller@a#a']",
    ]
    assert (truths[0]["attempts"], truths[0]["gave_up"], truths[0]["cause"]) == (2, "no-other-backend", "driver-error")
    assert _said(_lines(cloud(backends=backends, filters=filters, max_attempts=1)), "Re-scheduling is disabled.")


def test_given_back__a_failed_attempt__is_no_newer_knowledge():
    lines = _lines(cloud({"fault": "driver-fails-once"}, backends=[{"name": "a"}]))
    taken, back = (re.search(r"updated at: (\S+ \S+)", next(line for line in lines if f"Consumed {n} GB" in line))[1] for n in (1, -1))
    assert taken == back
