"""The watchdog on a fake clock."""

from wm_planner.pilot.watchdog import Watchdog


def test_a_camera_that_never_begins(clock):
    watchdog = Watchdog(0.3, clock)
    watchdog.start()
    clock.advance(0.29)
    assert watchdog.brake_due() is None
    clock.advance(0.02)
    assert "no image since activation" in watchdog.brake_due()


def test_a_camera_that_stops_and_comes_back(clock):
    watchdog = Watchdog(0.3, clock)
    watchdog.start()
    for _ in range(10):
        clock.advance(0.25)
        watchdog.feed()
        assert watchdog.brake_due() is None
    clock.advance(0.31)
    assert watchdog.brake_due().startswith("no image for 0.3 s")
    watchdog.feed()
    assert watchdog.brake_due() is None


def test_watches_only_between_start_and_stop(clock):
    watchdog = Watchdog(0.3, clock)
    clock.advance(10.0)
    assert watchdog.brake_due() is None
    watchdog.start()
    clock.advance(10.0)
    watchdog.stop()
    assert watchdog.brake_due() is None
    watchdog.feed()  # an image that is late must not start it again
    clock.advance(10.0)
    assert watchdog.brake_due() is None


def test_the_brake_is_repeated_but_not_at_every_look(clock):
    watchdog = Watchdog(0.3, clock)
    watchdog.start()
    looks = []
    for _ in range(40):  # 2 s
        clock.advance(0.05)
        looks.append(watchdog.brake_due() is not None)
    assert [n for n, due in enumerate(looks, 1) if due][0] == 7  # 0.35 s, the first look after 0.3 s
    assert sum(looks) == 4  # at 0.35, 0.85, 1.35 and 1.85 s
