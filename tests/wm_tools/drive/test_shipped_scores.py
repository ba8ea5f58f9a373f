"""What the README claims of the shipped bundle is what the bundle's own files say."""

from pathlib import Path

from wm_bundle import load_bundle
from wm_bundle.scores import read_scores
from wm_tools.drive.bundle_scores import open_loop_table, spell_estimate, spell_score

ROOT = Path(__file__).parents[3]


def test_the_readmes_open_loop_table_is_that_of_bundle_json():
    scores = load_bundle(ROOT / "models" / "carracing").manifest.open_loop
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    claimed = [line for line in lines if line.startswith(("| PSNR [dB], ", "| reward error, "))]
    table = open_loop_table(scores)
    expected = [f"| {' | '.join(row)} |" for row in table.rows]
    head = [f"| {' | '.join(map(str, table.heads))} |", "|---" * len(table.heads) + "|"]
    assert claimed == expected, "README.md needs this table:\n" + "\n".join(head + expected)


def test_the_shipped_model_imagines_better_than_guesses_that_need_no_model():
    scores = load_bundle(ROOT / "models" / "carracing").manifest.open_loop
    for step, imagined, guess in zip(
        scores.steps, scores.psnr_db["imagined"], scores.psnr_db["copy_last"], strict=True
    ):
        assert imagined.value > guess.value, f"PSNR {step} steps ahead"
    for step, imagined, guess in zip(
        scores.steps, scores.reward_error["imagined"], scores.reward_error["mean_reward"], strict=True
    ):
        assert imagined.value < guess.value, f"reward error {step} steps ahead"


def test_the_readmes_scores_are_those_of_scores_json():
    scores = read_scores(load_bundle(ROOT / "models" / "carracing"))  # raises for those of another model
    lock_step, real_time = scores.mode("lock-step"), scores.mode("real-time")
    less = {pair.second: pair.difference for pair in lock_step.differences if pair.first == "planner"}
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for entry in lock_step.controllers:
        timed = real_time.of(entry.controller)
        cells = [
            entry.controller,
            spell_score(entry.score),
            spell_score(timed.score) if timed else "",
            spell_estimate(less[entry.controller], 2) if entry.controller in less else "",
        ]
        expected = " ".join(f"| {cell}".rstrip() for cell in cells) + " |"
        assert expected in lines, f"README.md needs this row: {expected}"


def test_the_shipped_planner_drives_as_well_as_the_project_promises():
    scores = read_scores(load_bundle(ROOT / "models" / "carracing"))
    lock_step, real_time = scores.mode("lock-step"), scores.mode("real-time")
    planner = lock_step.of("planner").score
    assert lock_step.seeds == real_time.seeds == tuple(range(5000, 5100)) and lock_step.parameters == {}
    assert planner.value >= 890 and planner.low >= 870
    assert abs(real_time.of("planner").score.value / planner.value - 1.0) <= 0.05
    assert all(entry.failed == 0 for entry in (*lock_step.controllers, *real_time.controllers))
    for other in ("actor", "clone"):
        difference = next(
            pair.difference for pair in lock_step.differences if (pair.first, pair.second) == ("planner", other)
        )
        assert difference.low > 0, f"planner less {other}"
