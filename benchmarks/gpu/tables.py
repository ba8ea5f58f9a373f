"""The result as Markdown, for docs/gpu.md."""

from benchmarks.gpu.parts import PLANS, QUICK_PLANS, VARIANTS


def markdown(result: dict) -> str:
    """Machine, training, plans, and what was not done."""
    machine, parts = result["machine"], result["parts"]
    where = machine["gpu"] or machine["processor"]
    lines = [f"{where}, {machine['processor']} ({machine['cores']} cores), torch {machine['torch']}, {result['when']}"]
    lines += ["", "Quick: the figures are meaningless."] if result["quick"] else []
    lines += ["", *_training(parts), "", *_plans(parts), ""]
    if "launches" in parts:
        for variant, found in _done(parts["launches"]).items():
            busy = f"the device computes for {found['device_busy']:.0%} of the time"
            lines.append(f"- {found['launches']:,} launches an update, {variant}; {busy}")
    products = _done(parts.get("products", {}))
    lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in products.items()]
    for name, part in parts.items():
        if part["status"] != "done":
            lines.append(f"- {name} {part['status']}: {part['reason']}")
    tests = _done(parts.get("tests", {}))
    lines += [f"- tests: {tests['passed']} passed, {tests['skipped']} skipped"] if tests else []
    return "\n".join(lines) + "\n"


def _training(parts: dict) -> list[str]:
    rows = [
        "| Update | precision | parameters | frames/s | ms | against dreamerv3-torch | memory [GB] |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in ("peer", "large"):
        peer = _done(parts.get(f"update, {size}, dreamerv3-torch", {}))
        for variant in (*VARIANTS, "dreamerv3-torch"):
            found = _done(parts.get(f"update, {size}, {variant}", {}))
            if found:
                ratio = f"{found['frames_per_s'] / peer['frames_per_s']:.2f}" if peer else ""
                numbers = (f"{found['parameters']:,}", f"{found['frames_per_s']:,}", f"{found['ms']:,}", ratio)
                what = f"{variant} | {found.get('precision', 'float32')}"
                rows.append(f"| {what} | {' | '.join(numbers)} | {found['peak_memory_gb']:.2f} |")
    return rows


def _plans(parts: dict) -> list[str]:
    rows = [
        "| Plan | provider | imagine p50 / p99 [ms] | frame p50 / p99 [ms] | largest difference of the belief |",
        "|---|---|---|---|---|",
    ]
    for candidates, horizon in (*PLANS, *QUICK_PLANS):
        for provider in ("cuda", "tensorrt", "cpu"):
            found = _done(parts.get(f"plan, {provider}, {candidates} x {horizon}", {}))
            if found:
                times = found["latency_ms"]
                told = [f"{times[call]['p50']:.2f} / {times[call]['p99']:.2f}" for call in ("imagine", "frame")]
                apart = f"{found['parity']['outputs']['belief']['largest']:.1e}"
                rows.append(f"| {candidates} × {horizon} | {provider} | {told[0]} | {told[1]} | {apart} |")
    return rows


def _done(part: dict) -> dict:
    """What a part found, empty unless it is done."""
    return {k: v for k, v in part.items() if k not in ("status", "seconds")} if part.get("status") == "done" else {}
