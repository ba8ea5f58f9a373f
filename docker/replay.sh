#!/usr/bin/env bash
# Does an image's set-up without Docker: `docker/replay.sh docker/training.Dockerfile FOLDER [drive|train]`. Copies what
# the Dockerfile copies to FOLDER (new), runs scripts/setup.sh there, and then a command through the entry point. Shows
# what a Dockerfile forgets to copy; with ROS 2 from wheels where none is installed.
set -euo pipefail
dockerfile="$1" folder="$2" purpose="${3:-drive}"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ ! -e "$folder" ] || { echo "error: $folder exists; name a new folder" >&2; exit 2; }
mkdir -p "$folder"
grep -E '^COPY ' "$dockerfile" | grep -v -- '--from=' | while read -r _ words; do
  read -ra paths <<< "$words"
  unset 'paths[-1]' # the destination, which is the same name or ./
  for path in "${paths[@]}"; do
    tar --create --exclude-from=<(grep -v '^#' docker/Dockerfile.dockerignore | sed 's#^\*\*/##') "$path" \
      | tar --extract --directory "$folder"
  done
done
"$folder/scripts/setup.sh" "$purpose"
"$folder/docker/entrypoint.sh" python -m wm_tools.drive --help > /dev/null # ros2 itself comes from the base image
echo "set up in $folder, and its entry point runs"
