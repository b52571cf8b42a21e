"""Runs the command lines of experiments in a process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(module, *arguments):
    return [sys.executable, "-m", f"experiments.{module}", *map(str, arguments)]


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def run(module, *arguments):
    """Runs a command to its end; returns its exit status, output and errors."""
    return subprocess.run(
        command(module, *arguments), env=environment(), capture_output=True, text=True, timeout=120
    )
