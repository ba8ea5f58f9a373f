# Puts a ROS 2 in use: the sourced one, else /opt/ros/jazzy or /opt/ros/humble, else none (then the wheels are used).
# Sourced by env.sh and scripts/setup.sh, in bash and zsh. Sets WM_ROS to jazzy, humble or wheels, and keeps the graph on
# this machine unless configured otherwise; returns 1 with one line on standard error if another ROS is sourced.
# ROS_ROOT_FOLDER may name a folder other than /opt/ros. Where Humble and Jazzy differ is here, for Python in
# wm_bundle/processes/ros_distribution.py, and nowhere else.

_wm_find_ros() {
  if [ -n "${ROS_DISTRO:-}" ]; then
    WM_ROS="$ROS_DISTRO"
  elif [ -f "${ROS_ROOT_FOLDER:-/opt/ros}/jazzy/setup.sh" ]; then
    WM_ROS=jazzy
  elif [ -f "${ROS_ROOT_FOLDER:-/opt/ros}/humble/setup.sh" ]; then
    WM_ROS=humble
  else
    WM_ROS=wheels
  fi
  case "$WM_ROS" in
    jazzy|humble|wheels) ;;
    *)
      echo "error: ROS '$WM_ROS' is sourced in this shell; this project works with ROS 2 jazzy or humble," \
        "or without any: open a shell that sources no other ROS and try again" >&2
      return 1 ;;
  esac
}

_wm_source_ros() {
  [ "$WM_ROS" != wheels ] && [ -z "${ROS_DISTRO:-}" ] || return 0
  if [ -n "${ZSH_VERSION:-}" ]; then
    . "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_ROS/setup.zsh"
  else
    . "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_ROS/setup.bash"
  fi
}

_wm_find_ros || return 1
# ROS's own set-up files read variables that may be unset.
case $- in *u*) _wm_nounset=1; set +u ;; *) _wm_nounset= ;; esac
_wm_source_ros
if [ -n "$_wm_nounset" ]; then set -u; fi
unset _wm_nounset
unset -f _wm_find_ros _wm_source_ros
export WM_ROS
if [ "$WM_ROS" = humble ]; then
  export ROS_LOCALHOST_ONLY="${ROS_LOCALHOST_ONLY:-1}"
else
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
fi
