import io
import os
import subprocess
import sys

import pytest

from jaxlayers.runs import terminal
from jaxlayers.runs.terminal import display_width, padded, print_line, show_progress

METRICS = {"discriminator_loss": 0.69314, "generator_loss": 1.25, "real_accuracy": 0.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A mutable time, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_are_printed_without_a_terminal(capsys, clock):
    with show_progress(steps=100, batch_size=64) as progress:
        progress.update(10, METRICS)
        clock[0] += 10
        progress.update(20, METRICS)
    assert capsys.readouterr().out.splitlines() == [
        "step 10/100  discriminator 0.693  generator 1.250",
        # 10 steps in the 10 seconds since the first line, and 80 remaining steps.
        "step 20/100  discriminator 0.693  generator 1.250  1.0 steps/s, 64 images/s, 1:20 left",
    ]


def test_lines_are_printed_every_five_seconds_and_at_the_end(capsys, clock):
    with show_progress(steps=20, batch_size=1) as progress:
        for step in range(1, 21):
            progress.update(step, METRICS)
            clock[0] += 1
    steps = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert steps == [f"step {step}/20" for step in (1, 6, 11, 16, 20)]


def test_remaining_times_above_an_hour_have_hours(capsys, clock):
    with show_progress(steps=10002, batch_size=1) as progress:
        progress.update(1, METRICS)
        clock[0] += 6
        progress.update(2, METRICS)
    assert capsys.readouterr().out.splitlines()[1].endswith("16:40:00 left")


def open_terminal(monkeypatch):
    """Replaces stderr by a terminal of 80 columns, in the test because pytest sets stderr too."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return terminal


def test_a_terminal_shows_one_line_of_80_columns(monkeypatch, capsys, clock):
    terminal = open_terminal(monkeypatch)
    with show_progress(steps=3000, batch_size=64) as progress:
        progress.update(10, METRICS)
        clock[0] += 10
        progress.update(3000, METRICS)
    assert "compiling" in terminal.getvalue()
    last = terminal.getvalue().splitlines()[-2]
    assert "3000/3000" in last
    for part in ("discriminator 0.693", "generator 1.250", "299.0 steps/s", "0:00 left"):
        assert part in last
    assert capsys.readouterr().out == ""


def test_a_wide_terminal_also_shows_images_per_second(monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    with show_progress(steps=3000, batch_size=64) as progress:
        progress.update(10, METRICS)
        clock[0] += 10
        progress.update(3000, METRICS)
    last = terminal.getvalue().splitlines()[-2]
    for part in ("3000/3000", "299.0 steps/s, 19136 images/s, 0:00 left"):
        assert part in last


def test_plain_lines_are_printed_to_a_terminal_without_rich(capsys, monkeypatch):
    terminal = open_terminal(monkeypatch)
    for name in ("rich", "rich.progress", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    with show_progress(steps=1, batch_size=1) as progress:
        progress.update(1, METRICS)
    assert capsys.readouterr().out == "step 1/1  discriminator 0.693  generator 1.250\n"
    assert terminal.getvalue() == ""


def test_validation_metrics_are_printed_at_their_step(capsys, clock):
    with show_progress(steps=100, batch_size=64) as progress:
        progress.update(10, {"accuracy": 0.5, "loss": 1.25, "top_5_accuracy": 1.0})
        clock[0] += 1  # below five seconds, but evaluations are always printed
        progress.update(20, {"val_accuracy": 0.75, "accuracy": 0.5, "loss": 1.0})
    assert capsys.readouterr().out.splitlines() == [
        "step 10/100  loss 1.250  accuracy 0.500",
        "step 20/100  loss 1.000  accuracy 0.500  val_accuracy 0.750  "
        "10.0 steps/s, 640 images/s, 0:08 left",
    ]


def test_a_terminal_continues_to_show_the_last_validation_metrics(monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    with show_progress(steps=30, batch_size=64) as progress:
        progress.update(10, {"loss": 1.5, "val_loss": 2.5})
        progress.update(30, {"loss": 1.25})
    assert "loss 1.250  val_loss 2.500" in terminal.getvalue().splitlines()[-2]


def test_the_line_of_a_classifier_fits_in_80_columns(monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    metrics = {"loss": 1.5, "accuracy": 0.5, "val_loss": 2.5, "val_accuracy": 0.75}
    with show_progress(steps=300, batch_size=64) as progress:
        progress.update(10, metrics)
        clock[0] += 10
        progress.update(300, metrics)
    last = terminal.getvalue().splitlines()[-2]
    assert "val_accuracy 0.750" in last and "…" not in last


def test_quiet_progress_prints_nothing(monkeypatch, capsys):
    terminal = open_terminal(monkeypatch)
    with show_progress(steps=3000, batch_size=64, quiet=True) as progress:
        progress.update(10, METRICS)
    assert terminal.getvalue() == capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "text, printed, width",
    [
        ("cat", "cat", 3),
        ("猫", "猫", 2),
        ("قط", "قط", 2),
        ("e\u0301", "e\u0301", 1),
        ("😀", "😀", 2),
        ("ｃａｔ", "ｃａｔ", 6),
        ("\x1b", "\\x1b", 4),
        ("\n", "\\n", 2),
    ],
)
def test_text_is_padded_to_its_display_width(text, printed, width):
    assert display_width(text) == width
    assert padded(text, 8) == printed + " " * (8 - width)
    assert padded(text, 0) == printed


def test_control_characters_are_printed_as_escape_sequences(capsys):
    print_line("\x1b[2J\x07猫\u202e\nb")
    assert capsys.readouterr().out == "\\x1b[2J\\x07猫\\u202e\nb\n"


def test_characters_outside_the_encoding_are_printed_as_escape_sequences():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_line("cat 猫", file)
    assert file.buffer.getvalue() == b"cat \\u732b\n"


def test_printing_to_a_closed_file_is_not_an_error():
    file = io.StringIO()
    file.close()
    print_line("lost", file)


def test_printing_continues_after_a_blocked_pipe():
    class Full(io.StringIO):
        full = True

        def flush(self):
            if self.full:
                raise BlockingIOError

    file = Full()
    print_line("one", file)
    file.full = False
    print_line("two", file)
    assert file.getvalue() == "one\ntwo\n"


# Logs forty steps, whether or not the output is read, and then writes a file.
RUN = """
import sys, time
from jaxlayers.runs.terminal import print_line, show_progress
with show_progress(steps=40, batch_size=1) as progress:
    for step in range(1, 41):
        progress.update(step, {"loss": 1.0, "val_loss": 1.0})
        time.sleep(0.02)
print_line("the end")
print_line("the end", sys.stderr)
print("remains in the buffer")
open(sys.argv[1], "w").write("done")
"""


def test_a_run_continues_after_its_pipe_is_closed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path / "file"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "step 1/40  loss 1.000  val_loss 1.000\n"
    process.stdout.close()
    assert "Error" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "file").read_text() == "done"


def test_a_run_continues_after_its_terminal_is_closed(tmp_path):
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path / "file"], stdout=follower, stderr=follower
    )
    os.close(follower)
    while b"step" not in os.read(leader, 1000):
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "file").read_text() == "done"
