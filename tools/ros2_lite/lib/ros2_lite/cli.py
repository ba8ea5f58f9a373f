"""The command line: `ros2 run`, `ros2 launch` and `ros2 param`."""

from __future__ import annotations

import argparse  # like the real `ros2`
import asyncio
import os
import sys
from pathlib import Path

from ros2_lite import launch_files, packages, parameters
from ros2_lite.errors import CommandError, UnsupportedError
from ros2_lite.service import LaunchService

COMMANDS = ("run", "launch", "param")


def main(arguments: list[str]) -> int:
    """Runs one command and returns its exit code; 2 for a wrong command line."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        print(f"ros2: error: {UnsupportedError(f'ros2 {arguments[0]}')}", file=sys.stderr)
        return 2
    options = parse(arguments)
    try:
        return {"run": run, "launch": launch, "param": param}[options.command](options)
    except CommandError as error:
        print(f"ros2 {options.command}: error: {error}", file=sys.stderr)
        return 1


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ros2", description="The part of the ros2 command that this project needs.")
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="run an executable of a package")
    run_parser.add_argument("package")
    run_parser.add_argument("executable")
    run_parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the executable")
    launch_parser = commands.add_parser("launch", help="run a launch file")
    launch_parser.add_argument("-s", "--show-args", action="store_true", help="show the launch file's arguments")
    launch_parser.add_argument("package", metavar="package|path", help="a package, or the path of a launch file")
    launch_parser.add_argument("rest", nargs="*", metavar="file | name:=value", help="the package's file; arguments")
    param_parser = commands.add_parser("param", help="get or set a parameter of a running node")
    verbs = param_parser.add_subparsers(dest="verb", required=True)
    for verb in (verbs.add_parser("get"), verbs.add_parser("set")):
        verb.add_argument("node_name")
        verb.add_argument("parameter_name")
    verb.add_argument("value")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Replaces this process by the executable; returns only on an error."""
    path = packages.executable_in(options.package, options.executable)
    try:
        os.execv(path, [str(path), *options.arguments])
    except OSError as error:
        raise CommandError(f"{path} cannot be run: {error.strerror}") from error


def param(options: argparse.Namespace) -> int:
    """Prints a parameter's value, or that it was set."""
    place = (options.node_name, options.parameter_name)
    print(parameters.get(*place) if options.verb == "get" else parameters.set_to(*place, options.value))
    return 0


def launch(options: argparse.Namespace) -> int:
    """Runs a launch file to its end, or shows its arguments."""
    given = list(options.rest)
    if Path(options.package).is_file():
        path = Path(options.package)
    elif given and ":=" not in given[0]:
        path = packages.launch_file_in(options.package, given.pop(0))
    else:
        raise CommandError(f"{options.package!r} is not a launch file; name one after the package")
    description = launch_files.load(path)
    if options.show_args:
        print(launch_files.describe_arguments(description))
        return 0
    values = launch_files.parse_arguments(given, description)
    return asyncio.run(LaunchService(values).run(description))
