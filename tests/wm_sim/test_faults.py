"""Faults on order, by the tick of the car that they come before."""

import pytest
from wm_sim.faults import Faults


def test_stalls_and_an_end_come_at_their_ticks():
    faults = Faults("stall:2.0@100 stall:0.5@7  reload@300")
    assert [faults.stall_s(tick) for tick in (6, 7, 100, 300)] == [0.0, 0.5, 2.0, 0.0]
    assert [faults.ends(tick) for tick in (100, 299, 300)] == [False, False, True] and not faults.destroys
    assert Faults("destroy@5").destroys
    assert not Faults("").ends(1)


@pytest.mark.parametrize(
    "text, words",
    [
        ("stall@3", "expected stall:SECONDS@TICK, reload@TICK or destroy@TICK, found 'stall@3'"),
        ("stall:-1@3", "found 'stall:-1@3'"),
        ("reload:2@3", "found 'reload:2@3'"),
        ("reload@0", "found 'reload@0'"),
        ("reload@3 destroy@4", "expected one reload or destroy"),
    ],
)
def test_what_is_no_fault_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        Faults(text)
