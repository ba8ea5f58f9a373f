# Puts a ROS 2 in use: the sourced one, else the one that WM_ROS_DISTRO names (unset: the first that is installed below
# /opt/ros), else none (then the wheels are used). Sourced by env.sh and scripts/setup.sh, in bash and zsh. Sets WM_ROS to
# humble, jazzy, kilted, lyrical or wheels, WM_WHEELS to the distribution of the wheels, and keeps the graph on this
# machine unless configured otherwise; returns 1 with one line on standard error if there is no such ROS.
# ROS_ROOT_FOLDER may name a folder other than /opt/ros. Where the distributions differ is here, for Python in
# wm_bundle/processes/ros_distribution.py, and nowhere else.

_wm_find_ros() {
  case "${ROS_DISTRO:-jazzy}" in
    humble|jazzy|kilted|lyrical) ;;
    *)
      echo "error: ROS '$ROS_DISTRO' is sourced in this shell; this project works with ROS 2 humble, jazzy, kilted or" \
        "lyrical, or without any: open a shell that sources no other ROS and try again" >&2
      return 1 ;;
  esac
  WM_ROS=wheels
  # ROS_DISTRO alone names one and sources none: so do the images ros:jazzy and the like.
  if [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ]; then
    if [ "${WM_ROS_DISTRO:-$ROS_DISTRO}" != "$ROS_DISTRO" ]; then
      echo "error: ROS '$ROS_DISTRO' is sourced in this shell, and WM_ROS_DISTRO is '$WM_ROS_DISTRO': unset the" \
        "variable, or open a shell that sources no ROS, and try again" >&2
      return 1
    fi
    WM_ROS="$ROS_DISTRO"
    return 0
  fi
  WM_WHEELS="${WM_ROS_DISTRO:-${ROS_DISTRO:-}}"
  for _wm_distro in jazzy humble kilted lyrical; do
    if [ "${WM_WHEELS:-$_wm_distro}" = "$_wm_distro" ] \
      && [ -f "${ROS_ROOT_FOLDER:-/opt/ros}/$_wm_distro/setup.sh" ]; then
      WM_ROS="$_wm_distro"
      break
    fi
  done
  unset _wm_distro
  WM_WHEELS="${WM_WHEELS:-jazzy}"
  case "$WM_ROS-$WM_WHEELS-$(uname -m)" in
    wheels-jazzy-x86_64|wheels-kilted-x86_64) ;;
    wheels-jazzy-*|wheels-kilted-*)
      echo "error: the wheels of ROS are for x86-64 only, and this machine is $(uname -m): install ROS 2 by apt, for" \
        "example ros-humble-ros-base on Ubuntu 22.04 or ros-jazzy-ros-base on 24.04, and try again; docs/latency.md has" \
        "the commands" >&2
      return 1 ;;
    wheels-*)
      echo "error: WM_ROS_DISTRO is '$WM_WHEELS': there are wheels for jazzy and kilted only, and" \
        "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_WHEELS is not a ROS installed here" >&2
      return 1 ;;
    *) _wm_source_ros ;;
  esac
}

_wm_source_ros() {
  # ROS's own set-up files read variables that may be unset.
  case $- in *u*) _wm_nounset=1; set +u ;; *) _wm_nounset= ;; esac
  if [ -n "${ZSH_VERSION:-}" ]; then
    . "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_ROS/setup.zsh"
  else
    . "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_ROS/setup.bash"
  fi
  if [ -n "$_wm_nounset" ]; then set -u; fi
  unset _wm_nounset
}

_wm_find_ros || return 1
unset -f _wm_find_ros _wm_source_ros
export WM_ROS
if [ "$WM_ROS" = humble ]; then
  export ROS_LOCALHOST_ONLY="${ROS_LOCALHOST_ONLY:-1}"
else
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
fi
