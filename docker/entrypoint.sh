#!/usr/bin/env bash
# Runs a command with ROS 2, the virtual environment and the workspace in use; without one, a shell.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Without arguments: a sourced file would take this script's for its own.
load() { . ./env.sh; }
load
exec "${@:-bash}"
