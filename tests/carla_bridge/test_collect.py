"""Recording from the real bridge by one command: whole episodes, and what they say is what happened."""

import time

import carla_rig
import graph
import numpy as np
from wm_data.episodes import read_episode


def collect(folder, *words: str) -> carla_rig.Program:
    arguments = ["simulator:=carla", "episode_length:=100", f"output_dir:={folder / 'data'}", *words]
    return carla_rig.launch("collect.launch.py", *arguments, domain_id=graph.fresh_domain_id(), folder=folder)


def happened(episode, rows: list[carla_rig.Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the intervals that begin at the rows' stamps: the number of the tick that ended each, the control that acted,
    and whether the traffic manager was the last to command before it."""
    elapsed = np.array([row.elapsed_s for row in rows])
    last = [row.commands[-1][0] if row.commands else None for row in rows]
    for i in range(1, len(last)):
        last[i] = last[i] or last[i - 1]
    ticks = np.array([np.abs(elapsed - 1e-9 * stamp).argmin() for stamp in episode.stamps_ns]) + 1
    assert np.abs(elapsed[ticks - 1] - 1e-9 * episode.stamps_ns).max() < 1e-4
    return ticks, np.array([rows[i].acting for i in ticks]), np.array([last[i] == "traffic manager" for i in ticks])


def test_the_disturbed_autopilot_is_recorded_as_it_drove(tmp_path):
    with collect(tmp_path, "driver:=noisy-autopilot", "episodes:=2", "noise_every:=1.0") as run:
        assert run.wait(150) == 0, run.output()[-3000:]
        assert " 0 ticks missed" in run.output(), run.output()[:3000]
        rows = run.rows()
    for index in range(2):
        episode = read_episode(tmp_path / f"data/episode_{index:06d}.npz")
        ticks, acting, managed = happened(episode, rows)
        assert len(episode) == 100 and set(np.diff(ticks)) == {1}
        np.testing.assert_allclose(episode.actions, acting, atol=1e-6)
        labelled = np.isfinite(episode.expert_actions).all(1)
        np.testing.assert_array_equal(episode.expert_actions[labelled], episode.actions[labelled])
        # Some rows at a hand-over are not labelled though they are the autopilot's, but none is that is not.
        assert not labelled[~managed].any() and labelled[managed].mean() > 0.7 and not managed.all()
        assert episode.vector[:, 0].max() > 3.0


def test_ctrl_c_leaves_neither_a_paused_bridge_nor_a_car(tmp_path):
    with collect(tmp_path, "driver:=autopilot", "episodes:=50") as run:
        run.wait_for_output("episode 1/", carla_rig.START_S)
        begun = time.monotonic()
        run.interrupt()
        assert time.monotonic() - begun < 5.0  # later it would be killed
        (car,) = (e["id"] for e in run.entries() if e["event"] == "spawn" and e["kind"].startswith("vehicle"))
        assert car in [entry["id"] for entry in run.entries() if entry["event"] == "destroy"]
