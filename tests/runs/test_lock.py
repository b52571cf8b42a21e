import os
import subprocess
import sys
import textwrap

import pytest

from jaxlayers.runs.lock import FolderInUseError, locked

HOLD_LOCK = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from jaxlayers.runs.lock import locked
    with locked(Path(sys.argv[1])):
        print("locked", flush=True)
        time.sleep(60)
""")


def test_a_second_lock_is_refused_with_the_process_of_the_first(tmp_path):
    message = f"{tmp_path}: another run .*{os.getpid()}"
    with locked(tmp_path), pytest.raises(FolderInUseError, match=message), locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_released(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(FolderInUseError, match=str(process.pid)), locked(tmp_path):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with locked(tmp_path):
        pass
