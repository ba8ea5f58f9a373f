"""What the README claims of the shipped bundle is what the bundle's own files say."""

from pathlib import Path

from wm_bundle import load_bundle
from wm_bundle.scores import read_scores
from wm_planner.drive.bundle_scores import open_loop_table

ROOT = Path(__file__).parents[2]


def test_the_readmes_open_loop_table_is_that_of_bundle_json():
    scores = load_bundle(ROOT / "models" / "carracing").manifest.open_loop
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    claimed = [line for line in lines if line.startswith(("| PSNR [dB], ", "| reward error, "))]
    if scores is None:
        assert claimed == [], "README.md tells figures of imagination, and bundle.json has none"
        return
    table = open_loop_table(scores)
    expected = [f"| {' | '.join(row)} |" for row in table.rows]
    head = [f"| {' | '.join(map(str, table.heads))} |", "|---" * len(table.heads) + "|"]
    assert claimed == expected, "README.md needs this table:\n" + "\n".join(head + expected)


def test_the_shipped_model_imagines_better_than_guesses_that_need_no_model():
    scores = load_bundle(ROOT / "models" / "carracing").manifest.open_loop
    if scores is None:
        return  # a bundle of before there were such figures
    for step, imagined, guess in zip(scores.steps, scores.psnr_db["imagined"], scores.psnr_db["copy_last"],
                                     strict=True):  # fmt: skip
        assert imagined.value > guess.value, f"PSNR {step} steps ahead"
    for step, imagined, guess in zip(scores.steps, scores.reward_error["imagined"], scores.reward_error["mean_reward"],
                                     strict=True):  # fmt: skip
        assert imagined.value < guess.value, f"reward error {step} steps ahead"


def test_the_shipped_scores_are_of_the_shipped_model():
    read_scores(load_bundle(ROOT / "models" / "carracing"))  # raises for those of another
