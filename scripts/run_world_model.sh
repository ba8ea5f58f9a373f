#!/usr/bin/env bash
# Trains a world model: `sbatch scripts/run_world_model.sh [flags of train]` from the project's folder on a cluster with
# SLURM; run directly, it trains on this machine. One process per GPU, one without a GPU. The flags given override
# those below. A job that reaches its time limit saves its state, requeues itself and continues: docs/clusters.md.
#   WM_PROCESSES     processes on each machine, instead of one per GPU
#   WM_REQUEUES=50   times a job may requeue itself
#SBATCH --job-name=world_model
#SBATCH --gres=gpu:4
#SBATCH --cpus-per-task=32
#SBATCH --mem=128G
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the limit, and to the training processes: srun would answer a SIGTERM of its own by killing them.
#SBATCH --signal=TERM@120
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -f "$root/env.sh" ] || root=${SLURM_SUBMIT_DIR:-$PWD} # sbatch runs a copy of this file
if [ ! -f "$root/env.sh" ]; then
  echo "error: no env.sh in $root: run sbatch in the project's folder" >&2
  exit 2
fi
# shellcheck source=/dev/null
source "$root/env.sh" || exit 2

train=(
  -m wm_training.commands.train
  --state-dim 256
  --action-dim 3
  --hidden-dim 512
  --latent-dim 32
  --batch-size 64
  --sequence-length 50
  --learning-rate 3e-4
  --num-epochs 100
  --kl-weight 1.0
  --reconstruction-weight 1.0
  --data-path ./data/world_model
  --output-dir ./output/world_model
  "$@"
)
processes=${WM_PROCESSES:-${SLURM_GPUS_ON_NODE:-$(python -c 'import torch; print(torch.cuda.device_count())')}}
[ "$processes" -ge 1 ] || processes=1

if [ -z "${SLURM_JOB_ID:-}" ]; then
  [ "$processes" -gt 1 ] || exec python "${train[@]}"
  exec python -m torch.distributed.run --standalone --nproc-per-node="$processes" "${train[@]}"
fi

nodes=${SLURM_JOB_NUM_NODES:-1}
cores=$((${SLURM_CPUS_PER_TASK:-$processes} / processes))
[ "$cores" -ge 1 ] || cores=1
# The settings of sbatch's own task must not apply to the training processes.
unset SLURM_CPUS_PER_TASK SLURM_TRES_PER_TASK SLURM_NTASKS SLURM_NPROCS SLURM_NTASKS_PER_NODE
# --wait: when a process fails, the others would wait forever; they are ended a minute later.
srun --nodes="$nodes" --ntasks="$((nodes * processes))" --ntasks-per-node="$processes" --cpus-per-task="$cores" \
  --wait=60 python "${train[@]}"
code=$?
if [ "$code" -eq 130 ]; then # stopped by a signal, its state saved
  if [ "${SLURM_RESTART_COUNT:-0}" -lt "${WM_REQUEUES:-50}" ]; then
    echo "job $SLURM_JOB_ID stopped before its end and queues itself again" >&2
    scontrol requeue "$SLURM_JOB_ID"
  else
    echo "job $SLURM_JOB_ID stopped before its end for the ${SLURM_RESTART_COUNT}th time; submit it again to go on" >&2
  fi
fi
exit "$code"
