#!/usr/bin/env bash
# Runs all missing set-up steps: `scripts/setup.sh car|drive|train|test`. Chooses the ROS and the Python to use, then
# runs scripts/set_up, which reports what it does. Running it again is quick; after an interruption it continues.
# WM_ROS_DISTRO names a distribution (jazzy, kilted; others where they are installed); scripts/ros_underlay.sh.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/ros_underlay.sh"

# An active virtual environment, this project's or another, must not become the base of .venv.
if [ -n "${VIRTUAL_ENV:-}" ]; then
  PATH="$(printf '%s' ":$PATH:" | sed "s#:$VIRTUAL_ENV/bin:#:#g; s#^:##; s#:\$##")"
  unset VIRTUAL_ENV
fi

# A real ROS 2 works with the one Python it was built for; the wheels with 3.10 to 3.13.
if [ "$WM_ROS" = wheels ]; then
  condition='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'
  wanted='Python 3.10 to 3.13'
  # Without the wheels' start-up hook and folders of another checkout.
  export WM_WHEELS
  unset PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
else
  condition='import sys, rclpy; sys.exit(sys.version_info < (3, 10))'
  wanted="the Python of ROS 2 $WM_ROS (one that can import rclpy)"
fi
for python in ${PYTHON:-python3 python3.12 python3.11 python3.13 python3.10 /usr/bin/python3}; do
  if command -v "$python" > /dev/null && "$python" -c "$condition" 2> /dev/null; then
    PYTHONPATH="$root/scripts${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m set_up "$root" "$@"
  fi
done
echo "error: no $wanted found; run: sudo apt-get install -y python3 python3-venv python3-dev g++ make" \
  "(or name one: PYTHON=/path/to/python3 make setup)" >&2
exit 1
