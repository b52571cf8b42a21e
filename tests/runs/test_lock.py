import os
import subprocess
import sys
import textwrap

import pytest

from jaxlayers.runs.lock import FolderInUseError, locked

HOLD = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from jaxlayers.runs.lock import locked
    with locked(Path(sys.argv[1])):
        print("locked", flush=True)
        time.sleep(60)
""")


def test_a_second_lock_of_a_folder_is_refused_and_names_the_holder(tmp_path):
    message = f"{tmp_path}: another run .*{os.getpid()}"
    with locked(tmp_path), pytest.raises(FolderInUseError, match=message), locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path):
        pass


def test_a_process_that_is_killed_leaves_no_lock(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(FolderInUseError, match=str(process.pid)), locked(tmp_path):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with locked(tmp_path):
        pass
