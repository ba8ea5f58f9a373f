"""Command-line options of the replay monitor, checked before anything starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.conversion.convert_options import BagRecovery
from wm_evaluation.command_line import option
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError

from wm_tools.common.shared_options import PlannerParameters, Thresholds, require_folder
from wm_tools.replay.agreement import check_bag
from wm_tools.replay.result import check_thresholds


@dataclass(frozen=True)
class MonitorOptions(BagRecovery):
    """Measures the replay of a bag through the running planner; bag_replay.launch.py starts it.

    Exit code: 0; 1 when a threshold fails; 2 for wrong usage; 3 for a bag or a replay that cannot be judged; 4 when the
    evaluation failed.
    """

    bag: Annotated[Path, tyro.conf.Positional, option("BAG")]
    """File or folder."""
    bundle: Annotated[Path, option("DIR")]
    """The running planner's bundle."""
    output: Annotated[Path, option("DIR")]
    """Folder for replay.json, replay.jsonl, report.html."""
    rate: Annotated[float, option("R")] = 1.0
    """Rate at which the bag is played, for the report."""
    role_name: Annotated[str, option("NAME")] = "ego_vehicle"
    """The car's name in its topics."""
    parameters: PlannerParameters = ()
    """Parameters with which the planner was started."""
    thresholds: Thresholds = ()
    """What must hold, such as 'dropped<1'; docs/replay.md has the names."""
    evaluation: Annotated[Path | None, option("DIR", default="evaluate_bag runs when the bag is over")] = None
    """Folder of an evaluation of this bag with this bundle."""
    wait_for_planner: bool = False
    """Only wait until the planner is active and the monitor listens, then exit."""
    refuse_gaps_s: Annotated[float, option("S", "refuse-gaps", default="any gap is accepted")] = 0.0
    """With --wait-for-planner: refuse a bag with a longer gap in the recording [s], at which a player would stall."""

    def __post_init__(self):
        check_thresholds(self.thresholds)
        if self.evaluation is not None and not (self.evaluation / "result.jsonl").is_file():
            raise ValueError(
                f"--evaluation: expected a folder with the result.jsonl of evaluate_bag, found none in "
                f"'{self.evaluation}'"
            )
        if self.evaluation is not None:
            check_bag(self.evaluation, self.bag)
        require_folder(self.output)
        try:
            self.config()
        except ConfigError as error:
            raise ValueError(f"--set: the planner refuses: {error}") from None

    def config(self) -> PlannerConfig:
        """The running planner's parameters. Raises ConfigError."""
        return PlannerConfig.from_values(
            {**dict(self.parameters), "bundle": str(self.bundle), "role_name": self.role_name}
        )
