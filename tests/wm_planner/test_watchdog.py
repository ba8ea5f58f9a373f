"""The watchdog on a fake clock."""

from wm_planner.watchdog import Watchdog


def test_a_camera_that_never_begins(clock):
    watchdog = Watchdog(0.3, clock)
    watchdog.start()
    clock.advance(0.29)
    assert watchdog.fault() is None
    clock.advance(0.02)
    assert "no image since activation" in watchdog.fault()


def test_a_camera_that_stops_and_comes_back(clock):
    watchdog = Watchdog(0.3, clock)
    watchdog.start()
    for _ in range(10):
        clock.advance(0.25)
        watchdog.feed()
        assert watchdog.fault() is None
    clock.advance(0.31)
    assert watchdog.fault().startswith("no image for 0.3 s")
    watchdog.feed()
    assert watchdog.fault() is None


def test_watches_only_between_start_and_stop(clock):
    watchdog = Watchdog(0.3, clock)
    clock.advance(10.0)
    assert watchdog.fault() is None
    watchdog.start()
    clock.advance(10.0)
    watchdog.stop()
    assert watchdog.fault() is None
    watchdog.feed()  # an image that is late must not start it again
    clock.advance(10.0)
    assert watchdog.fault() is None
