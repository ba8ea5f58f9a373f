"""What fine-tuning on imagined returns is worth where it counts: the score in the built-in simulator.

No world model that can be trained within a test imagines the simulator well enough, so the test asks for one, and for
the episodes it learned from: those that `make train` leaves will do.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from wm_data.splits import split_files
from wm_training.commands.clone import main as clone
from wm_training.commands.finetune_policy import main as finetune_policy

from benchmarks.imagined_cloning import driven_scores

TRACKS = (7100, 7101, 7102, 7103)
NAMES = ("WM_WORLD_MODEL", "WM_EPISODES")


@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    any(name not in os.environ for name in NAMES),
    reason="WM_WORLD_MODEL names no checkpoint of the built-in simulator, or WM_EPISODES no folder of its episodes",
)
def test_a_weak_clone_drives_better_after_fine_tuning_on_imagined_returns_without_a_label(tmp_path):
    checkpoint, episodes = (os.environ[name] for name in NAMES)
    weak, better, few = tmp_path / "weak.onnx", tmp_path / "better.onnx", tmp_path / "few"
    few.mkdir()
    for file in split_files(Path(episodes), 0.1, "train")[:2]:
        (few / file.name).symlink_to(file.resolve())
    common = ["--threads", "1", "--seed", "0"]
    # 100 updates on two drives: it stays on the road for a while, and then does not.
    assert (
        clone(
            [
                *common,
                "--data-path",
                str(few),
                "--validation-share",
                "0",
                "--output",
                str(weak),
                "--num-epochs",
                "5",
                "--batch-size",
                "128",
            ]
        )
        == 0
    )
    assert (
        finetune_policy(
            [
                *common,
                "--policy",
                str(weak),
                "--checkpoint",
                checkpoint,
                "--data-path",
                episodes,
                "--labelled-share",
                "0",
                "--num-updates",
                "200",
                "--output",
                str(better),
            ]
        )
        == 0
    )
    before, after = (np.mean(driven_scores(policy, TRACKS)) for policy in (weak, better))
    assert after > before + 50.0, f"mean score {after:.0f}, {before:.0f} before"
