import shutil

import numpy as np
from fixtures_carla import table_rows, write_drive
from make_episodes import make_episode
from wm_training import convert_carla, read_episode, write_episode
from wm_training.commands.convert import main
from wm_training.commands.to_bag import main as to_bag


def test_bags_episodes_and_folders_below_one_source_are_all_converted(tmp_path):
    source = tmp_path / "runs"
    episode = make_episode(rows=30, size=64)
    write_episode(source / "a.npz", episode)
    assert to_bag([str(source / "a.npz"), str(source / "bags" / "a.mcap")]) == 0
    write_drive(source / "town01", table_rows(12))
    assert main(["carla", str(source), str(tmp_path / "dest"), "--min-rows", "3"]) == 0
    names = sorted(file.name for file in (tmp_path / "dest").glob("*.npz"))
    assert names == ["a_000.npz", "bags-a_000.npz", "town01_000.npz"]
    for name in names[:2]:
        np.testing.assert_array_equal(read_episode(tmp_path / "dest" / name).observations, episode.observations)
    shutil.rmtree(source / "town01")
    (again,) = convert_carla(source / "bags" / "a.mcap")
    np.testing.assert_array_equal(again.rewards, episode.rewards)
