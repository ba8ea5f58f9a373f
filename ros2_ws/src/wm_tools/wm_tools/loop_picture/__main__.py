"""`ros2 run wm_tools loop_picture`; see docs/visualize.md and --help.

The animation shows a continuous drive, and hides the camera from the model at intervals. Two alternatives were tried.
With "imagined one second ago" running beside "now", every frame is the end of another imagination: in CarRacing the car
passes in a second all the road that it had seen, so the pictures could not be right, and viewers could not see how they
came about. With 12 imagined pictures beside 12 real ones, viewers saw no drive. Here the imagination begins where the
viewer has just seen that the model is right, and continues into what it has to make up.
"""

import sys

from wm_bundle import BundleError, load_bundle
from wm_evaluation.command_line import DONE, parse, run
from wm_evaluation.video import write_loop
from wm_planner.errors import ConfigError, EngineError

from wm_tools.common.console import ProgressBar, make_console
from wm_tools.common.errors import BagError, BundleRefused, EvaluationError
from wm_tools.common.ros_words import own_words
from wm_tools.evaluate_bag.offline_pilot import OfflinePilot
from wm_tools.loop_picture.clip import make_clip
from wm_tools.loop_picture.drawing import draw_frames, durations_ms
from wm_tools.loop_picture.loop_picture_options import LoopOptions

USAGE, NO_RECORDING, NO_BUNDLE, NO_OUTPUT = 2, 3, 4, 5
CODES = {BagError: NO_RECORDING, BundleRefused: NO_BUNDLE, EvaluationError: USAGE, OSError: NO_OUTPUT}


def main() -> int:
    """Make the animation; returns the exit code (see --help)."""
    options = parse(LoopOptions, "ros2 run wm_tools loop_picture", own_words("loop_picture"))
    return run("loop_picture", lambda: _make(options), CODES, "nothing is written", options.output)


def _make(options: LoopOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        try:
            manifest = load_bundle(options.bundle).manifest
            pilot = OfflinePilot(options.config())
            progress.begin(manifest.model_id)
            clip = make_clip(options, pilot, manifest, progress)
        except (BundleError, ConfigError, EngineError) as error:
            raise BundleRefused(str(error)) from error
    with console.status(f"writing {options.output}"):
        write_loop(options.output, draw_frames(clip), durations_ms(clip))
    told = f"{len(clip.ahead)} frames from {clip.start_s:.2f} s on, {sum(durations_ms(clip)) / 1000:.1f} s long"
    size_kb = options.output.stat().st_size / 1000
    console.print(f"Wrote {options.output}: {told}, {size_kb:.0f} kB", highlight=False, soft_wrap=True)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
