"""The work of `export`: a checkpoint becomes a bundle, unless onnxruntime and torch disagree."""

import json
import sys
import tempfile
from pathlib import Path

import torch
from wm_bundle import BundleManifest, ImageSpec, LatentSpec, VectorSpec, check_destination, write_bundle
from wm_bundle.doubts import doubts
from wm_bundle.files import sha256_of
from wm_data.agreement import contradictions
from wm_data.rates import rate_of

from wm_training.data.dataset import SequenceDataset
from wm_training.errors import ExportError
from wm_training.exporting.cameras import cameras_of_meta
from wm_training.exporting.export_options import ExportOptions
from wm_training.exporting.graphs import TorchModel, export_graphs
from wm_training.exporting.parity import compare, recorded_frames, score
from wm_training.exporting.provenance import training_config, training_data, training_summary
from wm_training.exporting.quantization import quantize
from wm_training.exporting.scorecard import open_loop_scores
from wm_training.exporting.self_check import add_self_check
from wm_training.imagination.recorded import mean_reward, model_traits, refuse_unknown_gaps
from wm_training.training.checkpoints import read_world_model


def export(options: ExportOptions) -> None:
    """Write the bundle. Raises ExportError, TrainingError, EpisodeError, BundleError and OSError."""
    check_destination(options.output)  # before the work
    torch.set_num_threads(1)  # single frames: more threads only wait for one another
    model, payload = read_world_model(options.checkpoint)
    if options.horizon:
        model.config = model.config.with_changes(imagination_horizon=options.horizon)
    data_path = options.data_path or model.config.data_path
    config = model.config.with_changes(reward_terms_weight=0.0)
    data = SequenceDataset(data_path, config, "val", like=[model_traits(model)] if model.trained_on else ())
    if not data.files:
        raise ExportError(
            f"{data_path} has no validation episodes, and the parity check needs real frames: record a second drive, "
            f"or choose what validates of the only one by folders train/ and val/"
        )
    refuse_unknown_gaps(data, model)
    for contradiction in contradictions(model_traits(model)):
        raise ExportError(
            f"{contradiction}: the planner could not check its inputs; write the episodes again and train"
        )
    print(f"export: {options.checkpoint} at update {payload['step']}", file=sys.stderr)
    run_folder, config = Path(options.checkpoint).expanduser().parent, payload["config"]
    made_of = {
        "training": training_summary(run_folder, payload),
        "data": training_data(run_folder, config, options.data_path),
    }
    for doubt in doubts(made_of):
        print(f"export: warning: {doubt}; the bundle says so, and so will the planner", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        files = export_graphs(model, Path(folder))
        if options.precision == "int8":
            files["imagine.onnx"] = _quantized(files["imagine.onnx"])
        differences = compare(model, files, data, options.frames, options.seed)
        check_parity(options, differences)
        validation, surprise = score(model, data, options.frames)
        validation |= {f"parity_{name}": value for name, value in differences.items()}
        usual = mean_reward(SequenceDataset(data_path, data.config, "train", like=data.traits))
        card = open_loop_scores(model, data, usual, options.seed)
        measured = {"validation": validation, "surprise_threshold": surprise, "open_loop": card}
        manifest = _manifest(options, model, payload, made_of, measured)
        reference = f"float32 by torch {torch.__version__}, on validation frames"
        asked = recorded_frames(data, options.frames)
        checked = add_self_check(manifest, files, TorchModel(model), reference, asked, Path(folder), options.seed)
        bundle = write_bundle(options.output, *checked)
    size = sum(spec.bytes for spec in bundle.manifest.files.values()) / 1e6
    print(f"export: {bundle.manifest.model_id} in {bundle.path}, {size:.1f} MB", file=sys.stderr)


def _quantized(file: Path) -> Path:
    reduced = file.with_name("imagine_int8.onnx")
    products = quantize(file, reduced)
    if not products:
        raise ExportError(
            "--precision int8: the model has no matrix product large enough to gain from it; drop the option "
            "(no bundle was written)"
        )
    print(f"export: {products} matrix products of imagine.onnx in int8", file=sys.stderr)
    return reduced


def check_parity(options: ExportOptions, differences: dict[str, float]) -> None:
    """Raise ExportError where ``differences``, of ``parity.compare``, are above the options' limits."""
    shown = ", ".join(f"{name} {value:.2g}" for name, value in differences.items())
    print(f"export: onnxruntime against torch over {options.frames} frames: {shown}", file=sys.stderr)
    limits = {"belief": options.tolerance, "return": options.return_tolerance, "action": options.action_tolerance}
    if options.precision == "float32":
        limits |= dict.fromkeys(("reward", "value", "vector", "reward_terms"), options.tolerance)
    else:
        limits |= dict.fromkeys(("vector", "reward_terms"), options.vector_tolerance)
    for name, limit in limits.items():
        if name in differences and not differences[name] <= limit:  # also catches NaN
            raise ExportError(
                f"onnxruntime with {options.precision} and torch differ by {differences[name]:.3g} in {name}, allowed "
                f"is {limit:g}: no bundle was written"
            )


def _manifest(options: ExportOptions, model, payload: dict, made_of: dict, measured: dict):
    """``made_of``: the part of the provenance that comes from the run; ``measured``: the fields measured here."""
    meta = json.loads(payload["meta"])
    for key in ("cameras", "rate_hz", "vector"):
        if key not in meta:
            raise ExportError(
                f"the episodes' meta lacks {key}, which the planner needs to check its inputs; "
                f"record them with `ros2 run wm_training collect`"
            )
    rate_hz, size = rate_of(meta), model.config.image_size
    if rate_hz is None:
        raise ExportError(f"the episodes' meta has the rate_hz {meta['rate_hz']!r}, expected rows per second")
    cameras = cameras_of_meta(meta)
    vector = tuple(
        VectorSpec(v["name"], v["unit"], float(mean), float(std), column in model.gaps, str(v.get("source", "")))
        for column, (v, mean, std) in enumerate(zip(meta["vector"], model.vector_mean, model.vector_std, strict=True))
    )
    digest = sha256_of(Path(options.checkpoint).expanduser())
    return BundleManifest(
        model_id=f"{options.name}-{digest[:8]}",
        image=ImageSpec(size, size, cameras),
        vector=vector,
        control_period_s=1.0 / rate_hz,
        latent=LatentSpec(model.config.latent, model.config.state_dim, model.config.stochastic_size),
        horizon=model.config.imagination_horizon,
        discount=model.config.discount,
        reward_name=str(meta.get("reward", "unknown")),
        imagines_vector=model.vector is not None,
        reward_terms=model.terms,
        **measured,
        provenance={
            "precision": options.precision,
            "parameters": sum(p.numel() for p in model.parameters()),
            "config": training_config(payload["config"]),
            **made_of,
        },
    )
