#!/usr/bin/env bash
# Makes the shipped bundle from nothing: records episodes from the built-in simulator's topics, trains, exports.
# Every step continues where an earlier run stopped. Needs about an hour on two cores; THREADS says how many to use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./env.sh

data=${DATA:-data/carracing}
output=${OUTPUT:-runs/carracing}
bundle=${BUNDLE:-models/carracing}
threads=${THREADS:-0}

# Track seeds from 10000 on: the expert's figure uses 1000-1049, driving tests use 2000 and above up to 9999.
ros2 launch wm_planner collect.launch.py episodes:=64 driver:=noisy-autopilot seed:=10000 output_dir:="$PWD/$data"
ros2 launch wm_planner collect.launch.py episodes:=68 driver:=random seed:=10000 output_dir:="$PWD/$data"

ros2 run wm_training train --data-path "$data" --output-dir "$output" --threads "$threads" \
  --hidden-dim 256 --conv-depth 16 --latent gaussian --precision bfloat16 \
  --batch-size 16 --sequence-length 32 --num-epochs 80 \
  --learning-rate 6e-4 --warmup-steps 100 --kl-anneal-steps 300 \
  --discount 0.97 --imagination-horizon 12

ros2 run wm_training export --checkpoint "$output/best_model.pt" --output "$bundle" --name carracing
