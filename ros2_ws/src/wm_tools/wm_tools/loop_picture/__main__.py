"""`ros2 run wm_tools loop_picture`; see docs/visualize.md and --help.

The picture shows the drive as it went on, and hides the camera from the model in turns. Two other ways were tried. With
"imagined one second ago" running beside "now", every frame is the end of another imagination: in CarRacing the car
passes in a second all that it had seen of the road, so the pictures were those in which nothing could be known, and
nobody could see how they came about. Frozen at a moment, with 12 imagined pictures beside 12 real ones, nobody saw a
drive. Here the imagination begins where the viewer has just seen that the model knows, is right as far as it saw, and
what it makes up beyond that is there to compare.
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
    """Make the picture; returns the exit code, see --help."""
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
