"""A bundle trained on the device, and its parity and latency on a provider of onnxruntime."""

import sys
from pathlib import Path

from benchmarks.children import ROOT, child_main
from benchmarks.errors import BenchmarkError

_UPDATES = 30
_SHIPPED = ROOT / "models" / "carracing"
_QUICK_SIZES = {"conv_depth": 4, "state_dim": 16, "hidden_dim": 16, "image_size": 32}


def make_bundles(settings: dict) -> dict:
    """Train a model of the shipped one's sizes for some updates, and export it in float32 for each horizon."""
    from wm_training.processes import prepare_process

    prepare_process()
    import torch
    from wm_training.configuration.config import WorldModelTrainConfig
    from wm_training.errors import ExportError
    from wm_training.exporting.export import export
    from wm_training.exporting.export_options import ExportOptions
    from wm_training.training.trainer import WorldModelTrainer

    from benchmarks.episodes import make_episodes
    from benchmarks.untrained import sizes_of

    folder, quick = Path(settings["folder"]), settings["quick"]
    sizes = {**sizes_of(_SHIPPED), **(_QUICK_SIZES if quick else {})}
    rows = 50 if quick else 500
    make_episodes(folder / "data", count=4, rows=rows, size=sizes["image_size"])
    config = WorldModelTrainConfig(
        **sizes,
        device=settings["device"],
        batch_size=4 if quick else 16,
        sequence_length=10 if quick else 50,
        validation_frames=100,
        warmup_steps=10,
        num_epochs=_UPDATES,
        video_epochs=0,
        validation_share=0.25,
        data_path=str(folder / "data"),
        output_dir=str(folder / "run"),
    )
    trainer = WorldModelTrainer(config)
    threads = torch.get_num_threads()
    for step in range(3 if quick else _UPDATES):
        trainer.learner.update(trainer.sample(step).to(trainer.device))
        trainer.step = step + 1
    checkpoint = folder / "run" / "last.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(checkpoint)
    try:
        for horizon in settings["horizons"]:
            options = ExportOptions(str(checkpoint), str(folder / f"horizon_{horizon}"), horizon=horizon, frames=50)
            export(options)
    except ExportError as error:
        raise BenchmarkError(str(error)) from None
    finally:
        torch.set_num_threads(threads)  # a quick run goes on in this process
    return {"updates": trainer.step, "horizons": settings["horizons"], "trained_on": str(trainer.device)}


def verify_bundle(settings: dict) -> dict:
    """What `verify_bundle` finds, for one provider and number of candidates; ``left_out`` says why not."""
    from wm_tools.common.console import ProgressBar, make_console
    from wm_tools.common.errors import ProviderError, VerificationError
    from wm_tools.verify_bundle.results import result_of
    from wm_tools.verify_bundle.verify import verify
    from wm_tools.verify_bundle.verify_bundle_options import VerifyOptions

    parameters = {name: settings[name] for name in ("provider", "candidates", "frames", "calls")}
    options = VerifyOptions(bundle=Path(settings["bundle"]), **parameters)
    try:
        with ProgressBar(make_console()) as progress:
            verification = verify(options, progress)
    except ProviderError as error:
        if settings["provider"] != "tensorrt":
            raise BenchmarkError(str(error)) from None
        return {"left_out": str(error)}
    except VerificationError as error:
        raise BenchmarkError(str(error)) from None
    if not verification.parity:
        bad = [one.difference.output for one in verification.verdicts if not one.holds]
        checked = verification.self_check
        raise BenchmarkError(f"parity fails: {', '.join([*bad, *(checked.failed if checked else ())])}")
    found = result_of(verification)
    kept = ("provider", "machine", "frames", "parity", "self_check", "latency_ms")
    return {name: found[name] for name in kept} | {"horizon": verification.manifest.horizon, **parameters}


def child(settings: dict) -> dict:
    """One of the two."""
    return {"bundle": make_bundles, "verify": verify_bundle}[settings["what"]](settings)


if __name__ == "__main__":
    sys.exit(child_main(child))
