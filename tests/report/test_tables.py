"""Tables of times."""

import csv
import io
import json

import pytest

from voltrace.report.measure import group, quantiles
from voltrace.report.tables import stats_table, to_csv, to_json, to_text

from .examples import created, lost, mixed, stuck


def test_stats_table__two_requests__seconds_and_share():
    table = stats_table([created(1, driver=500_000)[0], created(2, driver=700_000)[0]])
    driver = table[table.name == "CreateVolumeFromSpecTask"].iloc[0].to_dict()
    assert driver == {"kind": "task", "service": "volume", "name": "CreateVolumeFromSpecTask", "n": 2, "min_s": 0.5, "p50_s": 0.6, "p90_s": 0.68, "p99_s": 0.698, "max_s": 0.7, "share_percent": pytest.approx(82.09, abs=0.01)}  # fmt: skip


def test_stats_table__what_never_ended__is_no_duration():
    table = stats_table([stuck()[0], lost()[0]])
    assert "CreateVolumeFromSpecTask" not in set(table.name) and "volume_create_manager" not in set(table.name)
    assert table[table.kind == "handoff"].n.tolist() == [1, 1]


def test_stats_table__agrees_with_the_pages_quantiles():
    timelines = mixed(60)[0].timelines
    table = stats_table(timelines)
    for (kind, service, name), values in group(timelines).items():
        row = table[(table.kind == kind) & (table.service == service) & (table.name == name)].iloc[0]
        assert [row.p50_s, row.p90_s, row.p99_s] == pytest.approx([q / 1e6 for q in quantiles(values)], abs=1e-6) and row.n == len(values)


def test_to_json__mixed__objects_in_seconds():
    rows = json.loads(to_json(stats_table(mixed(20)[0].timelines)))
    assert set(rows[0]) == {"kind", "service", "name", "n", "min_s", "p50_s", "p90_s", "p99_s", "max_s", "share_percent"}
    assert (rows[0]["kind"], rows[0]["n"], rows[0]["share_percent"]) == ("request", 20, 100.0)


def test_to_csv__mixed__as_many_rows():
    table = stats_table(mixed(20)[0].timelines)
    assert len(list(csv.DictReader(io.StringIO(to_csv(table))))) == len(table)


def test_to_text__mixed__units_and_columns():
    lines = to_text(stats_table(mixed(20)[0].timelines)).splitlines()
    assert lines[0].split() == ["service", "name", "n", "min", "p50", "p90", "p99", "max", "share"]
    assert any(line.startswith("handoff  scheduler  api -> scheduler") and "4 ms" in line for line in lines)


@pytest.mark.parametrize("timelines", [[], [created(start=None)[0]]])
def test_stats_table__nothing_known__empty_in_every_format(timelines):
    table = stats_table(timelines)
    assert len(table) == 0 and json.loads(to_json(table)) == [] and to_csv(table).count("\n") == 1
    assert "no duration is known" in to_text(table)
