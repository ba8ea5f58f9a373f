"""What some tests need of the system: installed where this user may, never a reason for the set-up to fail."""

import os
from pathlib import Path

import pytest
from set_up.optional import CHROMIUM, QEMU, ensure
from set_up.stamps import Stamps


@pytest.fixture
def only(tmp_path, monkeypatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_browser_that_is_there_is_taken_and_nothing_is_installed(only, tmp_path, capsys):
    there = put(only, "google-chrome", "exit 0")
    ensure(CHROMIUM, Stamps(tmp_path))
    assert CHROMIUM.found() == str(there) and capsys.readouterr().out == ""


def test_root_gets_one_installed(only, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    put(
        only,
        "apt-get",
        f'echo "$@" >> {tmp_path}/asked; case "$*" in *install*) : > {only}/chromium; /bin/chmod +x '
        f"{only}/chromium;; esac",
    )
    ensure(CHROMIUM, Stamps(tmp_path))
    assert CHROMIUM.found() == str(only / "chromium")
    assert (tmp_path / "asked").read_text().splitlines() == [
        "-qq update",
        "-qq install -y --no-install-recommends chromium",
    ]


@pytest.mark.parametrize("machine, asked", [("x86_64", True), ("aarch64", False)])
def test_another_kind_of_processor_is_played_on_x86_64_only(machine, asked, only, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("platform.machine", lambda: machine)
    ensure(QEMU, Stamps(tmp_path))
    assert ("sudo apt-get install -y qemu-user" in capsys.readouterr().out) == asked


def test_another_user_is_told_what_to_run(only, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(only, "apt-get", "exit 1")
    ensure(CHROMIUM, Stamps(tmp_path))
    assert "sudo apt-get install -y chromium" in capsys.readouterr().out


def test_an_installation_that_fails_is_said_and_the_set_up_goes_on(only, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    put(only, "apt-get", "echo no such package; exit 100")
    ensure(CHROMIUM, Stamps(tmp_path))
    told = capsys.readouterr().out
    assert "could not be installed" in told and "no such package" in told
