"""The table of edits: how faults change what a service writes, by the name that their rows give them.

Each is told the lines of one script after the other and a source of chance, and says what becomes of them, or None where it finds
nothing to do. A scenario's other requests are never touched.
"""

from __future__ import annotations

from .falsify import Edit
from .wrong_steps import (
    add_flow,
    add_task,
    begin_after_failure,
    die_after_cast,
    die_before_cast,
    double_line,
    drop_line,
    end_in_failure,
    end_unbegun,
    keep_reservation,
    log_at_info,
    revert_out_of_order,
    skip_revert,
    skip_task,
    swap_lines,
    swap_tasks,
)
from .wrong_texts import answer_wrongly, blot, change_volume, choose_refused, forge, lower_limit, reserve_others, ship_twice, spoil_bytes, swell, tear

EDITS: dict[str, Edit] = {
    edit.__name__.replace("_", "-"): edit
    for edit in (
        drop_line,
        double_line,
        swap_lines,
        skip_task,
        swap_tasks,
        end_unbegun,
        begin_after_failure,
        revert_out_of_order,
        skip_revert,
        keep_reservation,
        add_task,
        add_flow,
        end_in_failure,
        answer_wrongly,
        reserve_others,
        change_volume,
        choose_refused,
        lower_limit,
        log_at_info,
        die_before_cast,
        die_after_cast,
        tear,
        blot,
        ship_twice,
        spoil_bytes,
        swell,
        forge,
    )
}
