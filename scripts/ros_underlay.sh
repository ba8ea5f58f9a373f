# Puts a ROS 2 in use: the sourced one, else the one that WM_ROS_DISTRO names (unset: the first that is installed below
# /opt/ros), else none (then the wheels are used). Sourced by env.sh and scripts/setup.sh, in bash and zsh. Sets WM_ROS to
# humble, jazzy, kilted, lyrical or wheels, and keeps the graph on this machine unless configured otherwise; returns 1
# with one line on standard error if there is no such ROS. ROS_ROOT_FOLDER may name a folder other than /opt/ros. Where
# the distributions differ is here, for Python in wm_bundle/processes/ros_distribution.py, and nowhere else.

_wm_find_ros() {
  WM_ROS="${ROS_DISTRO:-wheels}"
  case "$WM_ROS" in
    wheels|humble|jazzy|kilted|lyrical) ;;
    *)
      echo "error: ROS '$WM_ROS' is sourced in this shell; this project works with ROS 2 humble, jazzy, kilted or" \
        "lyrical, or without any: open a shell that sources no other ROS and try again" >&2
      return 1 ;;
  esac
  if [ "$WM_ROS" != wheels ]; then
    [ "${WM_ROS_DISTRO:-$WM_ROS}" != "$WM_ROS" ] || return 0
    echo "error: ROS '$WM_ROS' is sourced in this shell, and WM_ROS_DISTRO is '$WM_ROS_DISTRO': unset one of the two" \
      "(ROS in a shell that does not source it) and try again" >&2
    return 1
  fi
  for _wm_distro in jazzy humble kilted lyrical; do
    if [ "${WM_ROS_DISTRO:-$_wm_distro}" = "$_wm_distro" ] \
      && [ -f "${ROS_ROOT_FOLDER:-/opt/ros}/$_wm_distro/setup.sh" ]; then
      WM_ROS="$_wm_distro"
      break
    fi
  done
  unset _wm_distro
  [ "$WM_ROS" = wheels ] || return 0
  case "${WM_ROS_DISTRO:-jazzy}" in
    jazzy|kilted) ;;
    *)
      echo "error: WM_ROS_DISTRO is '$WM_ROS_DISTRO': there are wheels for jazzy and kilted only, and" \
        "${ROS_ROOT_FOLDER:-/opt/ros}/$WM_ROS_DISTRO is not a ROS installed here" >&2
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
