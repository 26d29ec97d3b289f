"""Templates: what a compiled script writes is what filling its template in would, whatever the text around the fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltrace.sim.template import PREFIX, Field, bind, compile_records, expand

PLAIN = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


def written(record, values, payloads=None):
    records = compile_records([PREFIX + record], payloads or {})
    texts = {records.write([(["S"], [".1"], records.take({"tail": " T ", "pid": "7", **values}))])[0] for _ in range(5)}
    assert records.function is not None and len(texts) == 1, "a seldom used script is written like one that is used often"
    return texts.pop()


@given(before=PLAIN, value=PLAIN, after=PLAIN)
def test_write__any_text__as_percent_formatting(before, value, after):
    record = before.replace("%", "%%") + "%(x)s" + after.replace("%", "%%") + "%(x)s"
    assert written(record, {"x": value}) == "S.1 T " + record % {"x": value}


@pytest.mark.parametrize("text", ["{x}", "{{", "\\N{BULLET}", "'''", '"', "\\", "%%(x)s", "\n", "{__import__('os')}"])
def test_write__text_that_looks_like_code__stays_text(text):
    assert written(text + "|%(x)s", {"x": text}) == "S.1 T " + (text + "|%(x)s") % {"x": text}


def test_write__numbers__by_their_conversion():
    assert written("%(a)d %(a).2f %(a)s", {"a": 3}) == "S.1 T 3 3.00 3"


def test_expand__payloads_within_payloads__down_to_fields():
    payloads = {"volume": "Volume(%(id)s, %(type)s)", "type": "Type(%(name)s) 100%%"}
    assert expand("[%(volume)s]", payloads) == "[Volume(%(id)s, Type(%(name)s) 100%%)]"
    assert written("[%(volume)s]", {"id": 1, "name": "n"}, payloads) == "S.1 T [Volume(1, Type(n) 100%)]"


def test_bind__fields_stay_open_and_values_do_not():
    assert bind("%(a)s of %(b)d%(c)s", {"a": Field("%(x)s"), "b": 3, "c": "100%"}) == "%(x)s of 3100%%"
