# Source this file in bash or zsh: it puts ROS 2 (a real one where there is one, else the wheels in .venv), the Python
# packages of .venv and the workspace in use, and keeps the ROS graph on this machine. Sourcing it twice is harmless.

_wm_env() {
  # $1: root folder of the checkout
  if [ ! -x "$1/.venv/bin/python" ] || [ ! -f "$1/ros2_ws/install/local_setup.sh" ]; then
    echo "error: set-up has not been run in $1: run 'make -C $1 setup', then source env.sh again" >&2
    return 1
  fi
  . "$1/scripts/ros_underlay.sh" || return 1

  export VIRTUAL_ENV="$1/.venv"
  if [ "$WM_ROS" = wheels ]; then
    # The virtual environment is the ament prefix.
    _wm_prepend AMENT_PREFIX_PATH "$1/.venv"
    _wm_prepend CMAKE_PREFIX_PATH "$1/.venv"
    while IFS= read -r _wm_folder; do
      _wm_prepend LD_LIBRARY_PATH "$_wm_folder"
    done < <(find "$1"/.venv/lib/python3.*/site-packages -maxdepth 1 -name 'ros_*.libs')
    _wm_prepend LD_LIBRARY_PATH "$1/.venv/lib"
    # The wheels' hook would set the same path and start every Python a second time.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    unset _wm_folder
    command -v ros2 > /dev/null || _wm_prepend PATH "$1/tools/ros2_lite"
  fi
  _wm_prepend PATH "$1/.venv/bin"

  # colcon's files read variables that may be unset.
  case $- in *u*) _wm_nounset=1; set +u ;; *) _wm_nounset= ;; esac
  if [ -n "${ZSH_VERSION:-}" ]; then
    . "$1/ros2_ws/install/local_setup.zsh"
  else
    . "$1/ros2_ws/install/local_setup.bash"
  fi
  if [ -n "$_wm_nounset" ]; then set -u; fi
  unset _wm_nounset
}

_wm_prepend() {
  # $1: name of a variable that holds folders separated by colons, $2: the folder to put first in it
  eval "_wm_rest=\":\${$1:-}:\""
  while :; do
    case "$_wm_rest" in
      *":$2:"*) _wm_rest="${_wm_rest%%":$2:"*}:${_wm_rest#*":$2:"}" ;;
      *) break ;;
    esac
  done
  _wm_rest="${_wm_rest#:}"
  _wm_rest="$2:${_wm_rest%:}"
  eval "export $1=\"\${_wm_rest%:}\""
  unset _wm_rest
}

# Where this file is: bash tells it in BASH_SOURCE, zsh sets $0 to the file being sourced.
if [ -n "${BASH_VERSION:-}" ] && [ "${BASH_SOURCE[0]}" != "$0" ]; then
  _wm_env "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
elif [ -n "${ZSH_VERSION:-}" ]; then
  _wm_env "$(cd "$(dirname "$0")" && pwd)"
else
  echo "error: source this file in bash or zsh: 'source env.sh'" >&2
  exit 1
fi
_wm_status=$?
unset -f _wm_env _wm_prepend
return $_wm_status
