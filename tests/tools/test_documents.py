"""What the documents tell people to type exists: executables, launch files, their arguments, flags and parameters."""

import functools
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix
from wm_planner.config import PlannerConfig

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "docker/README.md", *(ROOT / "docs").glob("*.md")])
OURS = ("wm_planner", "wm_sim", "wm_tools", "wm_training")
LAUNCH_FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))
COMMAND = re.compile(r"ros2 (run|launch) (\S+) (\S+)(.*)")
END = re.compile(r"\s(?:\||\|\||&&|&|;|#|>|>>|2>)(?:\s|$)")  # of a command in a line of shell


def typed(text: str) -> list[str]:
    """Lines of code, those that go on put together, and code within the text."""
    found, fenced = [], False
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            found.append(line.strip())
        else:
            found += re.findall(r"`([^`]+)`", line)
    return found


def commands(text: str) -> list[tuple[str, str, str, str]]:
    """(run or launch, package, executable or file, the rest) of each command of our packages that is written out."""
    found = []
    for line in typed(text):
        for match in COMMAND.finditer(line):
            kind, package, name, rest = match.groups()
            if package in OURS:
                found.append((kind, package, name.rstrip(".,:;)"), END.split(rest)[0]))
    return found


def part_of(executable: str, rest: str) -> str:
    """The part of convert that a command names; nothing for other executables."""
    return re.match(r"\s*\{?(\w+)", rest).group(1) if executable == "convert" else ""


def first_cells(text: str) -> list[tuple[str, str]]:
    """(heading, code) of all that is written as code in the first column of a table."""
    found, heading = [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            heading = None
            continue
        cell = line.strip("|").split("|")[0].strip()
        heading = heading or cell
        found += [(heading, code) for code in re.findall(r"`(-{0,2}\w[^`]*)`", cell)]
    return found


def output_of(*command: str) -> str:
    done = subprocess.run(["ros2", *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def help_of(package: str, executable: str, part: str = "") -> str:
    return output_of("run", package, executable, *([part] if part else []), "--help")


@functools.cache
def arguments_of(launch_file: str) -> set[str]:
    return set(re.findall(r"'(\w+)':", output_of("launch", "wm_planner", launch_file, "--show-args")))


def executables(package: str) -> list[str]:
    return sorted(path.name for path in (Path(get_package_prefix(package)) / "lib" / package).iterdir())


WRITTEN = [command for document in DOCUMENTS for command in commands(document.read_text())]


def test_there_are_commands_to_check():
    assert len(WRITTEN) > 40 and {kind for kind, *_ in WRITTEN} == {"run", "launch"}


def test_executables_and_launch_files_exist():
    for kind, package, name, rest in WRITTEN:
        known = LAUNCH_FILES if kind == "launch" else executables(package)
        assert name in known, f"ros2 {kind} {package} {name}{rest}"


@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_a_launch_file_has_the_arguments_that_the_documents_give_it(name):
    for kind, _, file, rest in WRITTEN:
        if (kind, file) == ("launch", name):
            given = set(re.findall(r"(?:^|\s)(\w+):=", rest))
            assert given <= arguments_of(name), f"{name}{rest}: no argument {given - arguments_of(name)}"


@pytest.mark.parametrize(
    "package, name", sorted({(package, name) for kind, package, name, _ in WRITTEN if kind == "run"})
)
def test_an_executable_has_the_flags_and_parameters_that_the_documents_give_it(package, name):
    for rest in (rest for kind, *words, rest in WRITTEN if kind == "run" and words == [package, name]):
        for flag in set(re.findall(r"(?<![\w-])--[a-z][\w-]*", rest)) - {"--help", "--ros-args"}:
            text = help_of(package, name, part_of(name, rest))
            assert re.search(rf"(?<![\w-]){flag}(?![\w-])", text), f"{name} has no {flag}"
        for parameter in re.findall(r"-p (\w+):=", rest):
            assert re.search(rf"\b{parameter}\b", help_of(package, name)), f"{name} has no parameter {parameter}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_planner_parameters_in_commands_exist(document):
    known = {field.name for field in fields(PlannerConfig)}
    for kind, _, name, rest in commands(document.read_text()):
        given = re.findall(r"(?:parameters|planner_parameters):='([^']*)'", rest)
        if kind == "run":
            given += re.findall(r"--set ((?:\w+=\S+\s*)+)", rest)
        names = {word.partition("=")[0] for words in given for word in words.split()}
        assert names <= known, f"{name}{rest}: no parameter {names - known}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_of_flags_and_arguments_name_what_the_document_s_commands_have(document):
    text = document.read_text()
    of_launch, helps = set(), ""
    for kind, package, name, rest in commands(text):
        if kind == "launch":
            of_launch |= arguments_of(name)
        else:
            helps += help_of(package, name, part_of(name, rest))
    for heading, code in first_cells(text):
        name = re.match(r"(?:--)?[\w-]+", code).group()
        if heading == "Flag":
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", helps), f"no command of this page has {code}"
        elif heading == "Argument" and of_launch:
            assert name in of_launch, f"no launch file of this page has the argument {code}"


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for line in typed(document.read_text()):
            named = set(re.findall(r"(?:^|&& )make ([a-z-]+)", line))
            assert named <= targets, f"{document.name}: make {named - targets}"
