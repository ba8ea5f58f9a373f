from pathlib import Path

import numpy as np
import pytest
from fixtures_waymo import example, field, light, motion, point, polyline, scenario, state, track, write_tfrecord
from mutations import Mutator
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import waymo
from wm_data.errors import ConversionError

PATH = motion(12, 0.1, [0.1] * 12, [0.5] * 12)
AHEAD = [(x + 15.0, y + 3.0, h, v) for x, y, h, v in PATH]
LINE = [(100.0 + k, 45.0) for k in range(60)]
SQUARE = [(120.0, 50.0), (120.0, 56.0), (126.0, 56.0), (126.0, 50.0)]


def convert(payload: bytes, tmp_path: Path):
    """(episodes, report) of one record."""
    write_tfrecord(tmp_path / "a_tfexample.tfrecord-00000-of-00001", [payload])
    options = ConvertOptions("waymo", str(tmp_path), "dest", image_size=64, min_rows=1)
    (ref,) = waymo.find_drives(options)
    with waymo.open_drive(ref, options) as drive:
        return list(episodes_of_drive(drive, options)), drive.report


def test_a_tf_example_gives_the_episode_of_its_scenario(tmp_path):
    left, right = [(x, y + 3) for x, y in LINE], [(x, y - 3) for x, y in LINE]
    parts = ((2, 1, LINE), (7, 2, left), (15, 3, right), (18, 4, SQUARE))
    samples = [(x, y, kind, identity) for kind, identity, points in parts for x, y in points] + [(130.0, 60.0, 17, 5)]
    features = [
        field(3, polyline(8, LINE, 2, 2)),
        field(4, polyline(2, left, 2)),
        field(5, polyline(2, right, 1)),
        field(8, polyline(1, SQUARE)),
        field(7, field(2, point(130.0, 60.0))),
    ]
    lights = [[(118.0, 52.0, 4)]] * 6 + [[(118.0, 52.0, 6), (112.0, 50.0, 2)]] * 6
    of_tensors, report = convert(example(PATH, [(3, AHEAD, (1.8, 0.7))], samples, lights), tmp_path)
    others = [track(1, 3, [state(*pose, size=(1.8, 0.7)) for pose in AHEAD])]
    steps = [[light((x, y), number) for x, y, number in step] for step in lights]
    of_messages, _ = convert(scenario(path=PATH, others=others, features=features, lights=steps), tmp_path)
    (got,), (expected,) = of_tensors, of_messages
    assert len(got) == 10 and not report.skipped["agent state whose numbers make no sense"]
    np.testing.assert_array_equal(got.stamps_ns, expected.stamps_ns)
    np.testing.assert_allclose(got.vector, expected.vector, atol=1e-5)
    np.testing.assert_allclose(got.actions, expected.actions, atol=1e-4)
    assert all(expected.observations[:, plane].any() for plane in range(3))
    assert np.abs(got.observations.astype(int) - expected.observations).mean() < 0.1  # positions have 32 bits here


def test_the_test_set_without_a_future_gives_what_it_has(tmp_path):
    names = [f"{kind}/future/{name}" for kind, name in (("state", "x"), ("state", "y"))]
    (episode,), _ = convert(example(PATH, changes=dict.fromkeys(names)), tmp_path)
    assert len(episode) == 2  # steps 0 to 3; the first has no yaw rate, the last no known action
    assert len(convert(example(PATH), tmp_path)[0][0]) == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state/past/valid": None}, "lacks state/past/valid"),
        ({"state/is_sdc": [0] * 8}, "0 self-driving cars"),
        ({"state/past/x": [0.5] * 7}, "multiple of 8"),
        ({"state/future/y": [0.5] * 8}, "there are 12 timestamps"),
        ({"state/type": [1.0]}, "there are 8 agents"),
        ({"roadgraph_samples/id": [1]}, "not as many"),
        ({"roadgraph_samples/xyz": [0.5] * 4}, "multiple of 3"),
    ],
)
def test_tensors_that_do_not_fit_each_other_are_refused(tmp_path, changes, message):
    with pytest.raises(ConversionError, match=message):
        convert(example(PATH, changes=changes), tmp_path)


def test_an_example_is_named_by_the_id_of_its_scenario_wherever_it_stands(tmp_path):
    payloads = [example(PATH), *(example(PATH, changes={"scenario/id": told}) for told in ("ffee", None))]
    write_tfrecord(tmp_path / "x.tfrecord-0", payloads)
    refs = waymo.find_drives(ConvertOptions("waymo", str(tmp_path), "dest"))
    assert [ref.name for ref in refs] == ["19a486cd29abd7a7", "ffee", "x.tfrecord-0-00002"]


def test_damaged_examples_give_errors_in_words_and_nothing_else(tmp_path):
    file = tmp_path / "payload"
    samples = [(x, y, 2, 1) for x, y in LINE]
    file.write_bytes(example(PATH[:5], [(2, AHEAD[:5], (0.8, 0.8))], samples, [[(118.0, 52.0, 4)]] * 5, agents=3))
    mutator = Mutator([file], seed=8)
    read = 0
    for _ in range(200):
        mutator.damage()
        try:
            read += len(convert(file.read_bytes() if file.exists() else b"", tmp_path)[0])
        except ConversionError:
            pass
        mutator.repair()
    assert read > 0
