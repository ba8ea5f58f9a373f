"""`python -m wm_training.commands.configuration_tables --markdown`: the tables of docs/configuration.md."""

import re
import sys
from typing import Any, get_args

from wm_evaluation.command_line import DONE, USAGE, run

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import FIELDS, SECTIONS
from wm_training.configuration.presets import PRESETS


def markdown() -> str:
    """The tables of docs/configuration.md: all fields by section, and the presets side by side."""
    from docstring_parser import parse_from_object

    texts = {
        item.arg_name: " ".join(item.description.split()) for item in parse_from_object(WorldModelTrainConfig).params
    }
    lines = []
    for name, field in FIELDS.items():
        if name in SECTIONS:
            lines += [
                "",
                f"### {SECTIONS[name]}",
                "",
                "| Field | Default | Unit or choices | Meaning |",
                "|---|---|---|---|",
            ]
        unit = re.search(r" \[([^]]+)\]", texts[name])
        meaning = texts[name].replace(unit[0], "", 1) if unit else texts[name]
        choices = ", ".join(f"`{choice}`" for choice in get_args(field.type)) or (
            "yes or no" if field.type is bool else ""
        )
        lines.append(f"| `{name}` | {_cell(field.default)} | {unit[1] if unit else choices} | {meaning} |")
    lines += ["", "### Presets side by side", "", f"| Field | default | {' | '.join(PRESETS)} |"]
    lines.append("|---" * (2 + len(PRESETS)) + "|")
    for name, field in FIELDS.items():
        if any(name in preset for preset in PRESETS.values()):
            cells = (_cell(preset[name]) if name in preset else "" for preset in PRESETS.values())
            lines.append(f"| `{name}` | {_cell(field.default)} | {' | '.join(cells)} |")
    return "\n".join(lines[1:]) + "\n"


def _cell(value: Any) -> str:
    shown = f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{shown}`"


def main() -> int:
    """Print the tables; returns the exit code."""
    if sys.argv[1:] != ["--markdown"]:
        print("usage: python -m wm_training.commands.configuration_tables --markdown", file=sys.stderr)
        return USAGE
    return run("configuration", lambda: print(markdown(), end="") or DONE, ())


if __name__ == "__main__":
    sys.exit(main())
