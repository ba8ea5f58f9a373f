"""The documented drive on the real bridge: it starts, every tick is answered once, and it ends with the brake and
without the car."""

import time

import carla_rig
from carla_rig import BRAKE


def test_every_tick_is_answered_once_and_the_last_command_is_the_brake_before_the_car_is_removed(bundle, tmp_path):
    with carla_rig.drive(bundle, folder=tmp_path) as run:
        run.wait_for_output("]: driving", carla_rig.START_S)
        time.sleep(3.0)  # the start has its own test
        rows = run.wait_for_rows(60, since_s=time.time())
        assert carla_rig.counts(rows) == {1: len(rows)}
        assert not [row for row in rows if row.acting == BRAKE]
        assert rows[-1].speed_mps > 2.0
        assert run.interrupt() == 0, run.output()[-3000:]
    entries = run.entries()
    car = next(entry["id"] for entry in entries if entry["event"] == "spawn")
    *_, last, end = (entry for entry in entries if entry["event"] in ("apply", "destroy") and entry["id"] == car)
    assert last["control"] == BRAKE and end["event"] == "destroy" and end["found"]
