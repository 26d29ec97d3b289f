"""Tables of times."""

import csv
import io
import json

import pandas
import pytest

from voltrace.measure import group, observe, quantiles
from voltrace.report.tables import TIMES, Times, to_csv, to_json, to_text
from voltrace.report.tables import stats_table as table_of

from .examples import created, lost, mixed, stuck


def stats_table(timelines) -> list[Times]:
    return table_of(group(timelines))


def test_stats_table__two_requests__seconds_and_share():
    table = stats_table([created(1, driver=500_000)[0], created(2, driver=700_000)[0]])
    (driver,) = (row._asdict() for row in table if row.name == "CreateVolumeFromSpecTask")
    assert driver == {"kind": "task", "service": "volume", "name": "CreateVolumeFromSpecTask", "n": 2, "min_s": 0.5, "p50_s": 0.6, "p90_s": 0.68, "p99_s": 0.698, "max_s": 0.7, "share_percent": pytest.approx(82.09, abs=0.01)}  # fmt: skip


def test_stats_table__what_never_ended__is_no_duration():
    table = stats_table([stuck()[0], lost()[0]])
    assert not {"CreateVolumeFromSpecTask", "volume_create_manager"} & {row.name for row in table}
    assert [row.n for row in table if row.kind == "handoff"] == [1, 1]


def test_stats_table__agrees_with_pandas():
    timelines = mixed(60)[0].timelines
    groups = group(timelines)
    observed = pandas.DataFrame(observe(timelines))
    assert len(groups) > 10
    for row in stats_table(timelines):
        us = observed[(observed.kind == row.kind) & (observed.service == row.service) & (observed.name == row.name)].us
        expected = [us.min(), *us.quantile([0.5, 0.9, 0.99]), us.max()]
        assert [getattr(row, t) for t in TIMES] == pytest.approx([q / 1e6 for q in expected], abs=1e-6) and row.n == len(us)
        assert quantiles(groups[row[:3]]) == pytest.approx(expected[1:4])


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
