"""What services do while time passes between two of their lines: they compute, or they wait for the database."""

from __future__ import annotations

from collections.abc import Iterable

# The profile's figures that are work of the database: reading and writing rows is all, or nearly all, that the code does between
# these lines (cinder/volume/flows/api/create_volume.py, manager/create_volume.py, scheduler/host_manager.py). All others compute,
# the commands of the LVM driver among them: most of what sudo and rootwrap take is the start of a Python of their own.
IN_DATABASE = frozenset(
    {
        "api/EntryCreateTask",
        "api/QuotaCommitTask",
        "api/QuotaReserveTask",
        "api/zones",
        "scheduler/services",
        "volume/CreateVolumeOnFinishTask",
        "volume/ExtractVolumeRefTask",
        "volume/driver-failure",
    }
)

Stretch = tuple[bool, int, int]


def stretches(works: Iterable[bool]) -> tuple[Stretch, ...]:
    """Records in stretches of one kind of work: whether it is the database's, the first record, and the one behind the last.

    ``works`` says of each record whether the pause before it is. The first is never: a process must compute to begin at all.
    """
    found: list[Stretch] = []
    for record, work in enumerate(works):
        in_database = work and record > 0
        if found and found[-1][0] == in_database:
            found[-1] = (in_database, found[-1][1], record + 1)
        else:
            found.append((in_database, record, record + 1))
    return tuple(found)
