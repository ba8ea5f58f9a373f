import numpy as np
import pytest
from synthetic_drive import MS, drive, driven, number_of, options, signal
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.drive import Picture, Signals
from wm_data.errors import ConversionError


def front(stamps):
    return [(0, stamp, stamp % 60000) for stamp in stamps]


def convert(made, **values):
    return list(episodes_of_drive(made, options(**values)))


@pytest.mark.parametrize("holds", ["before", "after"])
def test_an_impulse_of_the_control_is_the_action_of_the_row_it_acted_in(holds):
    """Applied controls are stamped with the end of their interval, commanded ones with its beginning."""
    impulse = 1100 if holds == "before" else 1000
    control = signal({t: (0.0, 1.0 if t == impulse else 0.0, 0.0) for t in range(0, 2001, 100)}, holds)
    (episode,) = convert(drive(front(range(0, 2001, 100)), driven(control=control)))
    assert len(episode) == 20
    assert np.flatnonzero(episode.actions[:, 1]).tolist() == [10] and episode.actions[10, 1] == 1.0
    assert number_of(episode.observations[10]) == 1000


def test_derived_actions_explain_the_change_from_their_observation_to_the_next():
    speed = {t: 5.0 + (0.2 if t > 1000 else 0.0) for t in range(0, 2001, 100)}  # pushed from 1.0 s to 1.1 s
    yaw_rate = dict.fromkeys(range(0, 2001, 100), 0.0)
    signals = Signals({"speed": signal(speed), "yaw_rate": signal(yaw_rate)})
    (episode,) = convert(drive(front(range(0, 2001, 100)), signals))
    assert np.argmax(episode.actions[:, 1]) == 10
    assert np.ptp(np.delete(episode.actions[:, 1], 10)) < 0.01 and not episode.actions[:, 2].any()


def test_a_turn_to_the_left_is_a_negative_steer():
    numbers = {"speed": 5.0, "yaw_rate": 0.3}
    signals = Signals({name: signal(dict.fromkeys(range(0, 2001, 100), told)) for name, told in numbers.items()})
    made = drive(front(range(0, 2001, 100)), signals)
    (episode,) = convert(made, max_steer_deg=45.0)
    np.testing.assert_allclose(episode.actions[:, 0], -np.arctan(2.85 * 0.3 / 5.0) / np.radians(45.0), rtol=1e-6)


def test_without_actions_and_without_the_motion_to_derive_them_the_drive_is_refused():
    with pytest.raises(ConversionError, match="it has a speed and no yaw rate"):
        convert(drive(front(range(0, 2001, 100)), driven(control=None)))


def test_a_hole_in_the_control_cuts_and_no_action_is_made_up():
    stamps = [t for t in range(0, 4001, 50) if not 1000 < t < 2500]
    made = drive(front(range(0, 4001, 100)), driven(control=signal(dict.fromkeys(stamps, (0.1, 0.2, 0.0)))))
    episodes = convert(made)
    assert [(e.stamps_ns[0] // MS, len(e)) for e in episodes] == [(0, 15), (2500, 15)]  # held for 0.5 s at most
    assert made.report.splits == [{"stamp_ns": 1500 * MS, "reason": "no control"}]
    assert made.report.skipped == {"row without control": 10}
    assert all(e.dones.tolist() == [False] * (len(e) - 1) + [True] and not e.terminals.any() for e in episodes)


def test_the_end_of_a_log_is_a_truncation_and_a_collision_is_terminal():
    collision = signal({1250: 1.0})
    made = drive(front(range(0, 3001, 100)), driven(collision=collision))
    first, second = convert(made)
    assert len(first) == 13 and first.terminals[-1] and first.rewards[-1] < -9
    assert second.dones[-1] and not second.terminals.any()
    assert second.stamps_ns[0] == 1400 * MS  # the row that leads on from the collision belongs to no episode
    assert made.report.splits == [{"stamp_ns": 1300 * MS, "reason": "the episode ended"}]


def test_events_that_no_row_tells_of_are_counted():
    stamps = [*range(1000, 2001, 100), *range(3000, 4001, 100)]  # none from 2.0 to 3.0 s
    collision = signal({500: 1.0, 1550: 1.0, 2500: 1.0})
    lane_invasion = signal({2600: 2.0, 3550: 1.0})
    made = drive(front(stamps), driven(collision=collision, lane_invasion=lane_invasion))
    assert sum(episode.terminals.sum() for episode in convert(made)) == 1
    assert made.report.skipped["collision that is in no row"] == 2
    assert made.report.skipped["lane_invasion that is in no row"] == 2


def test_what_a_log_cannot_tell_is_masked_in_the_terms_and_named():
    (episode,) = convert(drive(front(range(0, 2001, 100))))
    names = episode.meta["reward_terms"]
    unknown = {name for name, column in zip(names, episode.reward_terms.T, strict=True) if np.isnan(column).all()}
    assert unknown == {"lateral_acceleration", "lane_invasion", "collision"}
    assert episode.meta["reward"] == "driving-1"
    np.testing.assert_allclose(episode.rewards, np.nansum(episode.reward_terms, axis=1), atol=1e-6)
    with_sensor = driven(lane_invasion=signal({550: 2.0, 9999: 1.0}))
    (episode,) = convert(drive(front(range(0, 2001, 100)), with_sensor))
    lanes = episode.reward_terms[:, episode.meta["reward_terms"].index("lane_invasion")]
    assert np.flatnonzero(lanes).tolist() == [5] and lanes[5] == -2.0


def test_rewards_and_ends_that_a_simulator_sent_are_taken_as_they_are():
    steps = {t: (t / 100.0, float(t == 1000), 0.0) for t in range(100, 3001, 100)}
    first, second = convert(drive(front(range(0, 3001, 100)), driven(step=signal(steps, "before"))))
    assert first.meta["reward"] == "step_result" and first.reward_terms is None
    assert first.rewards.tolist() == list(range(1, 11)) and first.terminals[-1]
    assert second.stamps_ns[0] == 1100 * MS and second.rewards[0] == 12.0


def test_long_drives_are_cut_without_losing_a_row_and_short_stretches_are_left_out():
    made = drive(front([*range(0, 2501, 100), *range(3000, 3301, 100)]))
    episodes = convert(made, max_rows=10, min_rows=5)
    assert [len(e) for e in episodes] == [10, 10, 5]
    assert np.concatenate([e.stamps_ns for e in episodes]).tolist() == [t * MS for t in range(0, 2500, 100)]
    assert made.report.skipped == {"row of an episode shorter than 5": 3}


def test_missing_cameras_are_masked_and_black():
    pictures = [(c, t, 7 + t) for t in range(0, 2001, 100) for c in (0, 1) if c == 0 or t != 500]
    made = drive(pictures, cameras=("front", "left"))
    (episode,) = convert(made)
    assert episode.observations.shape == (20, 6, 8, 8)
    assert made.report.notes == ["left has no picture in 1 of 20 rows"]
    assert np.argwhere(~episode.camera_mask).tolist() == [[5, 1]] and not episode.observations[5, 3:].any()
    (whole,) = convert(drive([p for p in pictures if p[0] == 0]))
    assert whole.camera_mask is None


def test_a_bag_that_plays_in_a_loop_gives_each_round_its_own_numbers():
    def recording(signals):
        for lap in (1, 2):
            for t in range(0, 5001, 100):
                signals.control.add(t * MS, 0.0, lap / 4, 0.0)
                signals.vector["speed"].add(t * MS, float(lap))
                yield 0, t, t

    signals = Signals({"speed": signal({0: 1.0})}, control=signal({0: (0.0, 0.25, 0.0)}))
    made = drive([], signals)
    view = made.cameras[0]
    made.pictures = (
        Picture(0, t * MS, lambda: view.from_rgb(np.zeros((3, 8, 8), np.uint8))) for _, t, _ in recording(signals)
    )
    first, second = convert(made)
    assert len(first) == len(second) == 50
    assert set(first.actions[:, 1]) == {0.25} and set(second.actions[:, 1]) == {0.5}
    assert set(first.vector[:, 0]) == {1.0} and set(second.vector[:, 0]) == {2.0}
    assert made.report.splits == [{"stamp_ns": 0, "reason": "stamps jumped back by 5.0 s"}]


def test_memory_does_not_grow_with_the_length_of_a_drive():
    alive = []

    def watched(pictures):
        for picture in pictures:
            alive.append(picture.stamp_ns)
            yield picture

    made = drive(front(range(0, 20_001, 100)))
    made.pictures = watched(made.pictures)
    episodes = episodes_of_drive(made, options(max_rows=10))
    behind = [len(alive) - int(episode.stamps_ns[-1] // (100 * MS)) for episode in episodes]
    assert len(behind) == 20 and max(behind) < 15 + 20  # what belongs to a moment is waited for for 2 s


def test_what_lies_before_the_first_picture_of_a_camera_is_left_out_and_counted():
    stamps = [*range(0, 1001, 100), *range(4000, 5001, 100)]
    pictures = [(camera, t, 7) for t in stamps for camera in (0, 1) if camera == 0 or t >= 4000]
    made = drive(pictures, cameras=("front", "left"))
    episodes = convert(made, max_rows=5)
    assert [e.stamps_ns[0] // MS for e in episodes] == [4000, 4500] and all(e.camera_mask is None for e in episodes)
    assert made.report.skipped == {"row from before the first picture of left": 12}  # two stretches share a row
