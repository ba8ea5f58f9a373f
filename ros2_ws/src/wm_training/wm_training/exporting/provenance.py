"""The model's provenance in ``bundle.json``: the data, and figures of the training run."""

import json
from pathlib import Path
from typing import Any

from wm_evaluation.command_line import say

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.summary import data_summary
from wm_training.errors import TrainingError
from wm_training.monitoring.health import HEALTHY, TOO_FEW, WARNED, WARNING, needed_updates
from wm_training.monitoring.run_record import check_data, read_record
from wm_training.monitoring.tables import read_curves

FOLDERS = ("data_path", "imagined_path", "output_dir")


def training_config(config: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint's settings, with folders reduced to their names: bundles are published, and local paths are
    private."""
    return config | {key: Path(config[key]).name for key in FOLDERS if key in config}


def training_data(run: Path, config: dict[str, Any], asked: str) -> dict[str, Any]:
    """The training data of the run in the folder ``run``: as recorded at its start, else the files as they are now.

    ``asked`` is another folder to validate on, empty for the run's own, which is compared with the record.
    Raises TrainingError when the run's episodes were changed since, EpisodeError.
    """
    record = read_record(run)
    if record is None:
        say("export", f"{run} has no run.json: the hash of the data is that of the files as they are now")
        return _data_now(config)
    if not asked:
        check_data(record["data"], _data_now(config), f"the run {run}", "train again")
    return record["data"]


def _data_now(config: dict[str, Any]) -> dict[str, Any]:
    """Summary of the episodes that the settings name, as they are now."""
    settings = WorldModelTrainConfig.from_dict(config, "the checkpoint")
    return data_summary(settings.data_path, settings.imagined_folder)


def training_summary(run: Path, payload: dict[str, Any]) -> dict[str, Any]:
    """Figures of the run in the folder ``run`` up to its checkpoint ``payload``; without those that the folder lacks.

    ``updates``, ``frames``, ``precision``; ``losses`` of training and validation in the checkpoint's epoch;
    ``wall_time_s`` of the complete run, without losses between a last epoch and a kill; ``devices``; ``versions``;
    ``health``: verdict, findings, positions of the losses in their expected ranges, and the updates needed for a
    judgement.
    """
    config, step = payload["config"], payload["step"]
    summary: dict[str, Any] = {
        "updates": step,
        "frames": step * config["batch_size"] * config["sequence_length"],
        "precision": config["precision"],
    }
    curves = read_curves(run / "metrics.csv")
    if not curves:
        say("export", f"{run} has no metrics.csv: bundle.json will have no losses and no duration of the training")
    if "seconds" in curves:
        summary["wall_time_s"] = round(_wall_time(curves["seconds"].values.tolist()), 1)
    losses: dict[str, dict[str, float]] = {"training": {}, "validation": {}}
    for name, curve in curves.items():
        split, _, loss = name.partition("/")
        values = curve.between(0, step).values
        if loss and len(values):
            losses["validation" if split == "validation" else "training"][loss] = float(values[-1])
    if any(losses.values()):
        summary["losses"] = losses
    record = read_record(run)
    if record is not None:
        summary |= {"devices": record["devices"], "versions": record.get("versions", {})}
    health = _health(run / "health.json")
    needed = needed_updates(WorldModelTrainConfig.from_dict(config, "the checkpoint"))
    if step < needed:  # of a run that may have continued
        health = {"findings": [], "expected_ranges": {}} | (health or {}) | {"verdict": TOO_FEW}
    return summary | ({"health": health | {"needed_updates": needed}} if health else {})


def _wall_time(seconds: list[float]) -> float:
    """Seconds of a run whose clock starts at zero each time it is continued."""
    last_of_each = [now for now, after in zip(seconds, [*seconds[1:], 0.0], strict=True) if after < now]
    return sum(last_of_each)


def _health(file: Path) -> dict[str, Any] | None:
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        findings = [{key: found[key] for key in ("issue", "severity")} for found in report["findings"]]
        states = {name: level["state"] for name, level in report["levels"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is damaged ({error!r}): `ros2 run wm_training train` makes it again") from None
    warned = any(found["severity"] == WARNING for found in findings)
    verdict = report.get("verdict", WARNED if warned else HEALTHY)
    return {"verdict": verdict, "findings": findings, "expected_ranges": states}
