"""Loads thousands of damaged files: `python -m tests.interop.fuzzing FOLDER COUNT SEED`.

Runs in a separate process, so that a crash or an infinite loop only fails the test. The folder has
intact files of every format, which are damaged in memory. Prints a line of JSON: the number of
refused files, the number of files loaded nevertheless (a changed weight cannot be distinguished
from a trained one), the slowest file, the growth of memory, and the failures.
"""

import copy
import io
import json
import random
import resource
import sys
import time
import traceback
import warnings
import zipfile
from pathlib import Path

import jax
import scipy.signal  # noqa: F401  # loaded by the initializer STFT, before memory is measured

from jaxlayers._any_size import has_any_size
from jaxlayers.interop.keras import load, load_weights

# In addition to the address space at the start of the process.
ADDRESS_SPACE_LIMIT = 2**31

INVALID_VALUES = (
    None,
    True,
    0,
    -1,
    1,
    3,
    10**6,
    2**31 - 1,
    2**63,
    10**40,
    0.5,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "relu",
    "Lambda",
    "../../etc/passwd",
    "x" * 10_000,
    [],
    [None],
    [2**30] * 4,
    [[[]]] * 3,
    {},
    {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}},
    {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
    {"class_name": "Orthogonal", "config": {"gain": 1e9}},
    {"class_name": "STFT", "config": {}},
)


def damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns the bytes with parts flipped, removed, overwritten, moved or repeated."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 30))):
        at = rng.randrange(len(changed))
        size = rng.choice((1, 2, 4, 8, 64, 512))
        match rng.randrange(6):
            case 0 | 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                noise = (b"\xff" * size, b"\0" * size, rng.randbytes(size))
                changed[at : at + size] = rng.choice(noise)
            case 3:
                source = rng.randrange(len(changed))
                changed[at : at + size] = changed[source : source + size]
            case 4:
                changed[at:at] = changed[at : at + size]
            case 5 if rng.random() < 0.3:
                del changed[max(at, 1) :]
    return bytes(changed)


def damaged_json(rng: random.Random, text: bytes) -> bytes:
    """Returns the text with some of its values replaced, removed or repeated."""
    config = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = []

        def walk(node, places=places):
            for key in node if isinstance(node, dict) else range(len(node)):
                places.append((node, key))
                if isinstance(node[key], dict | list):
                    walk(node[key])

        walk(config)
        if not places:
            break
        node, key = rng.choice(places)
        match rng.randrange(4):
            case 0 | 1:
                node[key] = copy.deepcopy(rng.choice(INVALID_VALUES))
            case 2:
                del node[key]
            case 3:
                other, other_key = rng.choice(places)
                # Copied as text, because a value must not contain itself.
                node[key] = json.loads(json.dumps(other[other_key]))
    return json.dumps(config).encode()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Returns a damaged file, or an intact archive with a damaged member."""
    kind = rng.randrange(4)
    if not data.startswith(b"PK") or kind == 0:
        return damaged_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if kind == 1:
        members["model.weights.h5"] = damaged_bytes(rng, members["model.weights.h5"])
    elif kind == 2:
        members["config.json"] = damaged_json(rng, members["config.json"])
    else:
        members["config.json"] = damaged_bytes(rng, members["config.json"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", rng.choice((0, zipfile.ZIP_DEFLATED))) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def main(folder: Path, count: int, seed: int) -> None:
    # load warns about what it ignores, which would print thousands of warnings.
    warnings.simplefilter("ignore")
    files = sorted(folder.glob("intact*"))
    models = {
        path: load(path.with_name(path.name.replace("weights.h5", "keras")))[0]
        for path in files
        if path.name.endswith(".weights.h5")
    }
    for path in files:
        _ = load_weights(path, models[path]) if path in models else load(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESS_SPACE_LIMIT,) * 2)
    target = folder / f"damaged-{seed}"
    loaded, refused, slowest, failures = 0, 0, (0.0, -1), []
    for number in range(seed, seed + count):
        rng = random.Random(number)
        path = rng.choice(files)
        target.write_bytes(damaged(rng, path.read_bytes()))
        start = time.process_time()
        try:
            if path in models:
                load_weights(target, models[path])
            else:
                model, params, state = load(target)
                shape = model.input_shape
                if rng.random() < 0.02 and shape is not None and not has_any_size(shape):
                    expected = jax.eval_shape(model.init, jax.random.key(0))
                    assert jax.tree.structure(expected) == jax.tree.structure((params, state))
            loaded += 1
        except ValueError as error:
            refused += 1
            if not str(error).startswith(str(target)) or len(str(error)) > 20_000:
                failures.append(f"{number} {path.name}: {str(error)[:500]}")
        except BaseException:
            failures.append(f"{number} {path.name}: {traceback.format_exc()[-1500:]}")
        slowest = max(slowest, (time.process_time() - start, number))
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps(
            {
                "files": count,
                "loaded": loaded,
                "refused": refused,
                "slowest": slowest,
                "growth_mib": growth / 1024,
                "failures": failures[:10],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
