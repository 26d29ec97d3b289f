"""What never ends: a killed volume service, a driver that hangs, a message that is lost; and the restart that cleans up."""

import pytest

from voltrace.errors import UsageError
from voltrace.sim.release import releases
from voltrace.sim.scenario_file import read_scenario

from .clouds import LVM, cloud, run


def _busy(*asks, **more):
    return cloud({"weight": 20}, *asks, backends=LVM, background_s=60, **more)


@pytest.mark.parametrize("release", releases())
def test_volume_killed__in_mid_create__stuck_and_cleaned_up_by_the_next_start(release):
    lines, truths = run(_busy({"fault": "volume-killed"}), release, 21, seed=3)
    stuck = [t for t in truths if t["outcome"] == "stuck"]
    assert stuck and {(t["cause"], t["final_status"], t["flows"][-1]["state"], t["flows"][-1]["end"]) for t in stuck} == {
        ("service-stopped", "error", "RUNNING", None)
    }
    text = "\n".join(lines["volume"])
    assert all(text.count(f"Cleaning Volume with id {t['volume_id']} and status creating") == 1 for t in stuck)
    starts = [line for line in lines["volume"] if "[-] Starting cinder-volume node (version " in line]
    assert len(starts) == len(LVM) * len({f["at"] for t in stuck for f in t["faults"] if f["kind"] == "volume-killed"})
    assert {t["outcome"] for t in truths} == {"created", "stuck"}


def test_volume_killed__while_it_is_down__writes_nothing_and_what_waits_is_made_later():
    lines, truths = run(_busy({"fault": "volume-killed"}), requests=21, seed=3, arrivals="every:2", format="short-unix")
    killed = next(t for t in truths if t["outcome"] == "stuck")
    stamps = [float(line.split(" ", 1)[0]) for line in lines["volume"]]
    gap = max(b - a for a, b in zip(stamps, stamps[1:]) if a < stamps[-1] - 700)
    assert gap > 10
    waits = [h["wait_s"] for t in truths for h in t["handoffs"] if h["to"] == "volume"]
    assert max(waits) > 5 and all(t["outcome"] == "created" for t in truths if t is not killed and not t["faults"])


def test_driver_hangs__the_others_go_on_and_it_stays_in_creating():
    _, truths = run(_busy({"fault": "driver-hangs"}), requests=21, seed=3)
    hung = next(t for t in truths if t["faults"])
    assert (hung["outcome"], hung["cause"], hung["final_status"]) == ("stuck", None, "creating")
    assert hung["faults"][0]["expect"]["deviations"] == ["flow-without-end"]
    assert [t["outcome"] for t in truths].count("created") == 20


def test_driver_hangs_before_a_restart__the_restart_is_what_is_seen():
    _, truths = run(_busy({"fault": "driver-hangs", "weight": 10}, {"fault": "volume-killed"}), requests=60, seed=1)
    both = [t for t in truths if [f["kind"] for f in t["faults"]] == ["driver-hangs", "volume-killed"]]
    assert both and {(t["outcome"], t["cause"], t["final_status"]) for t in both} == {("stuck", "service-stopped", "error")}
    assert all(f["expect"]["cause"] == "service-stopped" for t in both for f in t["faults"])


def test_message_lost__no_receipt_and_no_scheduling():
    lines, truths = run(_busy({"fault": "message-lost"}), requests=21, seed=3)
    lost = next(t for t in truths if t["outcome"] == "lost")
    assert (lost["cause"], lost["final_status"], lost["attempts"]) == ("message-not-received", "creating", 0)
    assert [(h["from"], h["to"], h["received"], h["wait_s"]) for h in lost["handoffs"]] == [("api", "scheduler", None, None)]
    assert not any(lost["request_id"] in line for line in lines["scheduler"] + lines["volume"])
    assert lost["faults"][0]["expect"]["deviations"] == ["handoff-lost"]


@pytest.mark.parametrize("fault", ["message-lost", "driver-hangs", "volume-killed"])
def test_faults__that_only_time_proves__need_a_background(fault):
    with pytest.raises(UsageError, match="background_s"):
        cloud({"fault": fault}, backends=LVM)


def test_source__volume_on_lvm__refused_with_the_reason():
    data = {
        "cloud": {"default_type": "a", "backends": LVM, "types": [{"name": "a"}], "projects": [{"name": "p", "user": "p"}]},
        "requests": [{"weight": 1, "source": "volume"}],
    }
    with pytest.raises(UsageError, match="driver fake only"):
        read_scenario(data, "s")
    data["requests"][0]["source"] = "tape"
    with pytest.raises(UsageError, match="must be one of volume, snapshot, image, not 'tape'"):
        read_scenario(data, "s")
