#!/usr/bin/env bash
# Makes the shipped bundle from nothing: records episodes from the built-in simulator's topics, trains, exports.
# Every step continues where an earlier run stopped. Takes about an hour on two cores. Settings, with their defaults:
#   DATA=data/carracing OUTPUT=runs/carracing BUNDLE=models/carracing   where everything goes
#   NOISY=96 RANDOM_DRIVES=4   episodes of the disturbed expert, and of random commands
#   EPOCHS=50                  passes over the data
#   THREADS=0                  CPU threads, 0 for all cores; 1 is faster where others use the machine
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./env.sh

data=${DATA:-data/carracing}
output=${OUTPUT:-runs/carracing}
noisy=${NOISY:-96}

# Track seeds from 10000 on: the expert's figure uses 1000-1049, driving tests use 2000 to 9999.
ros2 launch wm_planner collect.launch.py "episodes:=$noisy" driver:=noisy-autopilot seed:=10000 "output_dir:=$data"
ros2 launch wm_planner collect.launch.py "episodes:=$((noisy + ${RANDOM_DRIVES:-4}))" driver:=random seed:=10000 \
  "output_dir:=$data"

ros2 run wm_training train --preset carracing --data-path "$data" --output-dir "$output" \
  --threads "${THREADS:-0}" --num-epochs "${EPOCHS:-50}"

ros2 run wm_training export --checkpoint "$output/best_model.pt" --output "${BUNDLE:-models/carracing}" --name carracing
