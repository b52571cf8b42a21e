"""Installs a wheel into an empty environment, trains with it there, and reads the run back.

Nothing of the repository is reachable from that environment: this finds files that the wheel lacks,
and requirements that its `train` extra lacks.

Usage: python .ci/wheel.py WHEEL
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

TRAIN = """
import optax
from jaxlayers import data, train
from jaxlayers.models import cnn

digits, validation = data.load_with_validation("mnist-5k")
task = train.Classifier(cnn.lenet(width=4, hidden=32), optax.adam(2e-3))
config = train.FitConfig(steps=100, batch_size=64, evaluate_every=50)
train.fit(task, digits, config, "runs/digits", validation_data=validation)
"""

READ = """
import json
from pathlib import Path
import numpy as np
import jaxlayers
from jaxlayers import data, runs

assert "site-packages" in jaxlayers.__file__, jaxlayers.__file__
lines = Path("runs/digits/metrics.jsonl").read_text().splitlines()
logged = [json.loads(line) for line in lines]
expected = [row["val_accuracy"] for row in logged if "val_accuracy" in row][-1]
_, validation = data.load_with_validation("mnist-5k")
model, params, state = runs.load("runs/digits")
probabilities, _ = model.apply(params, state, np.float32(validation.images) / 255)
found = float((np.argmax(probabilities, -1) == validation.labels).mean())
assert Path("runs/digits/report.html").stat().st_size > 10_000
print(f"validation accuracy {found:.4f}; {expected:.4f} in metrics.jsonl")
assert abs(found - expected) < 1e-6 and found > 0.5
"""


def main(wheel: Path) -> None:
    """Does what the module says; raises where any of it fails."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder, "env"), with_pip=True)
        python = Path(folder, "env", "Scripts" if os.name == "nt" else "bin", "python")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

        def run(*arguments: str) -> None:
            command = [str(python), *arguments]
            subprocess.run(command, cwd=folder, env=environment, check=True)

        run("-m", "pip", "install", "--quiet", f"{wheel.resolve()}[train]")
        # Two processes: what the second knows is in the run's folder.
        run("-c", TRAIN)
        run("-c", READ)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
