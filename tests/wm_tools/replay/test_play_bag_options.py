"""Options of the player, its clock, and what it plays."""

import threading
import time

import pytest
from wm_tools.common.errors import ReplayError
from wm_tools.replay.pace import Pace, read_ahead
from wm_tools.replay.play_bag_options import PlayOptions, parse_options, split_arguments

THERE = ["/a", "/b", "/clock"]


def test_the_command_line_has_the_names_of_ros2_bag_play():
    options = parse_options(
        "drive.mcap -r 2 --start-offset 3 --playback-duration 4 --delay 1 --topics /a /b --exclude-topics /b "
        "--remap /a:=/recorded/a /b:=/c --clock --loop --start-paused "
        "--disable-keyboard-controls --wait-for-subscribers 2".split()
    )
    assert str(options.bag) == "drive.mcap"
    assert (options.rate, options.start_offset_s, options.duration_s, options.delay_s) == (2.0, 3.0, 4.0, 1.0)
    assert (options.topics, options.exclude) == (("/a", "/b"), ("/b",))
    assert options.remap == {"/a": "/recorded/a", "/b": "/c"}
    assert (options.clock_hz, options.loop, options.subscribers) == (40.0, True, 2)
    assert (options.start_paused, options.disable_keyboard_controls) == (True, True)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--rate", "0"], "--rate: expected above 0, found 0"),
        (["--rate", "inf"], "--rate"),
        (["--start-offset", "-1"], "--start-offset: expected 0 or more, found -1"),
        (["--remap", "/a=/b"], "--remap: expected /old:=/new, found '/a=/b'"),
        (["--max-gap", "-3"], "--max-gap: expected 0 or more, found -3"),
        (["--speed", "2"], "unknown option --speed"),
    ],
)
def test_a_wrong_option_gives_one_line_and_exit_code_2(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        parse_options(["drive.mcap", *words])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.startswith("play_bag: ") and said.count("\n") == 1


def test_renamings_are_ours_and_only_what_follows_ros_args_is_for_ros():
    words = "drive.mcap --remap /a:=/b --ros-args -r __node:=x -- --loop".split()
    ours, ros = split_arguments(words)
    assert ours == ["drive.mcap", "--remap", "/a:=/b", "--loop"]
    assert ros == ["--ros-args", "-r", "__node:=x", "--"]


def test_topics_are_chosen_by_name_and_two_clocks_are_never_played():
    def chosen(**changes):
        return PlayOptions(bag=None, **changes).chosen(THERE)

    assert chosen() == THERE
    assert chosen(topics=("/b",)) == ["/b"]
    assert chosen(exclude=("/a", "/not_there")) == ["/b", "/clock"]
    assert chosen(clock_hz=40.0) == ["/a", "/b"]
    with pytest.raises(ReplayError, match="no topic /x to play; it has /a, /b, /clock"):
        chosen(topics=("/x",))
    with pytest.raises(ReplayError, match="no topic is left"):
        chosen(exclude=tuple(THERE))


def test_due_times_are_counted_from_the_beginning_so_that_lateness_does_not_add_up():
    now = [100.0]
    pace = Pace(first_ns=5_000_000_000, rate=2.0, clock=lambda: now[0])
    assert pace.due_s(6_000_000_000) == 100.5  # a recorded second in half a second
    now[0] = 100.7
    pace.sent(100.5)
    assert pace.worst_s == pytest.approx(0.2)
    assert pace.due_s(7_000_000_000) == 101.0


def test_no_recorded_time_passes_in_a_pause_and_a_step_moves_it_on():
    now = [100.0]
    pace = Pace(first_ns=5_000_000_000, rate=2.0, clock=lambda: now[0])
    now[0] = 101.0
    assert pace.halt() and pace.recorded_ns == 7_000_000_000  # two recorded seconds in one
    now[0] = 150.0
    assert not pace.halt() and pace.recorded_ns == 7_000_000_000
    assert pace.go() and not pace.go()
    assert pace.due_s(8_000_000_000) == 150.5  # a recorded second later
    now[0] = 150.25
    pace.halt()
    now[0] = 160.0
    pace.jump(8_000_000_000)  # a step
    pace.sent(pace.due_s(8_000_000_000))
    assert pace.worst_s == 0.0  # the pause is no lateness
    now[0] = 170.0
    pace.go()
    assert pace.due_s(9_000_000_000) == 170.5


def test_reading_ahead_keeps_the_order_and_passes_errors_on_in_their_place():
    def entries():
        yield from range(300)
        raise ReplayError("it breaks off")

    found = []
    with pytest.raises(ReplayError, match="it breaks off"):
        found.extend(entry for entry in map(found.append, read_ahead(entries(), threading.Event())) if entry)
    assert found == list(range(300))


def test_reading_ahead_ends_when_it_is_stopped_or_nobody_reads_on():
    def endless():
        while True:
            yield 0

    before = threading.active_count()
    stop = threading.Event()
    reading = read_ahead(endless(), stop)
    next(reading)
    stop.set()
    for _ in reading:
        pass
    other = read_ahead(endless(), threading.Event())
    next(other)
    other.close()
    deadline_s = time.monotonic() + 5.0
    while threading.active_count() > before:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
