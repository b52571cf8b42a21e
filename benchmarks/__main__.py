"""Runs the benchmarks and writes the tables: `python -m benchmarks --help`."""

import argparse
import importlib.metadata
import os
import platform
import statistics
from datetime import date
from pathlib import Path

import jax
import jax.numpy as jnp

from benchmarks import (
    accuracy,
    classifier_epoch,
    convolutions,
    loop,
    memory,
    training_step,
    whole_models,
)
from benchmarks.shapes import Shape, all_shapes, inference_shapes
from benchmarks.side_by_side import medians

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        choices=[
            "convolutions",
            "inference",
            "models",
            "step",
            "loop",
            "memory",
            "epoch",
            "accuracy",
        ],
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, help="batch size of the training step"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--mnist", default="mnist", help="name or path of MNIST, for the accuracy")
    parser.add_argument("--images", help="zip of images, one folder per class, for the accuracy")
    parser.add_argument("--machine", default=None, help="name of the machine; detected by default")
    arguments = parser.parse_args()
    path = RESULTS / f"{arguments.machine or _machine()}.md"
    tables = {
        "step": step_table,
        "loop": loop_table,
        "convolutions": convolution_table,
        "inference": inference_table,
        "models": models_table,
        "memory": memory_table,
        "epoch": epoch_table,
        "accuracy": accuracy_table,
    }
    for part in [arguments.only] if arguments.only else tables:
        table = tables[part](arguments)
        print(table, flush=True)
        _write(path, table)


def _write(path: Path, table: str) -> None:
    """Writes a table to the file of the machine, replacing the one with the same title."""
    RESULTS.mkdir(exist_ok=True)
    old = path.read_text().split("\n## ")[1:] if path.exists() else []
    sections = {section.split("\n", 1)[0]: section.strip() for section in old}
    title, *rest = table.removeprefix("## ").split("\n")
    sections[title] = "\n".join([title, "", _versions(), *rest]).strip()
    head = f"# {_processor()}, {os.cpu_count()} CPU cores"
    path.write_text("\n\n".join([head, *(f"## {s}" for s in sections.values())]) + "\n")


def step_table(arguments: argparse.Namespace) -> str:
    """Returns the table of the training step."""
    from benchmarks import dcgan_in_torch

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    bfloat16 = arguments.precision == "bfloat16"
    steps, compile_times = {}, {}
    for library in training_step.JAX_LIBRARIES:
        if training_step.available(library):
            steps[library], compile_times[library] = training_step.jax_step(
                library, arguments.batch_size, bfloat16
            )
    fit_label = "jaxlayers, per step in train.fit"
    steps[fit_label], compile_times[fit_label] = training_step.fit_steps(
        arguments.batch_size, bfloat16
    )
    for compiled in (False, True):
        name = "PyTorch, torch.compile" if compiled else "PyTorch"
        steps[name] = dcgan_in_torch.training_step(arguments.batch_size, device, compiled, bfloat16)
    seconds = medians(steps, rounds=7 if device == "cpu" else 200, seconds=180)
    seconds[fit_label] /= training_step.STEPS_PER_CALL
    rows = [name for name in seconds if name.startswith("jaxlayers")]
    lines = [
        f"## A training step of the DCGAN, batch {arguments.batch_size}, {arguments.precision}",
        "",
        _MEDIANS,
        "",
        "| | ms | relative to one step of ours | relative to one in train.fit | compilation, s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        ratios = " | ".join(f"{value / seconds[row]:.2f}" for row in rows)
        compile_time = f"{compile_times[name]:.1f}" if name in compile_times else ""
        lines.append(f"| {name} | {1e3 * value:.1f} | {ratios} | {compile_time} |")
    return "\n".join(lines)


def convolution_table(arguments: argparse.Namespace) -> str:
    """Returns the table of convolutions and their gradients, worst last."""
    title = f"Convolutions, {arguments.precision}"
    return _table_of_shapes(title, all_shapes(), arguments, ALL_FUNCTIONS)


def inference_table(arguments: argparse.Namespace) -> str:
    """Returns the table of forward passes of few images, worst last."""
    title = f"Inference with few images, {arguments.precision}"
    return _table_of_shapes(title, inference_shapes(), arguments, ("forward",))


def models_table(arguments: argparse.Namespace) -> str:
    """Returns the table of whole models."""
    rows = []
    for name, make in whole_models.MODELS.items():
        for batch_size, *measured in whole_models.inference(make()):
            rows.append(_model_line(f"{name}, inference, batch {batch_size}", *measured))
            print(rows[-1], flush=True)
    measured = whole_models.training_step(arguments.batch_size)
    rows.append(_model_line(f"ResNet18, training step, batch {arguments.batch_size}", *measured))
    print(rows[-1], flush=True)
    return "\n".join(
        [
            "## Whole models, float32",
            "",
            f"Inference at 224 x 224 pixels, training at 32 x 32. {_MEDIANS} Milliseconds, and in "
            "parentheses the time relative to ours; PyTorch in the faster of its two memory "
            "formats.",
            "",
            "| model | jaxlayers | Keras on JAX | Flax NNX | PyTorch | memory format of PyTorch "
            "| compilation of ours, Keras, Flax, s |",
            "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
            *rows,
        ]
    )


def _model_line(
    name: str, functions: whole_models.Functions, compile_times: whole_models.Seconds
) -> str:
    for function in functions.values():
        function()  # the first call allocates memory and, in PyTorch, selects algorithms
    seconds = medians(functions, rounds=21, seconds=30)
    torch_format = min(whole_models.TORCH_FORMATS, key=lambda key: seconds[key])
    ours, *others = (seconds[key] for key in (*compile_times, torch_format))
    cells = [f"{1e3 * ours:.1f}", *(f"{1e3 * s:.1f} ({s / ours:.2f})" for s in others)]
    layout = "channels last" if whole_models.TORCH_FORMATS[torch_format] else "channels first"
    compilation = ", ".join(f"{value:.1f}" for value in compile_times.values())
    return f"| {' | '.join([name, *cells, layout, compilation])} |"


ALL_FUNCTIONS = ("forward", "input gradient", "kernel gradient")


def _table_of_shapes(
    title: str, shapes: list[Shape], arguments: argparse.Namespace, names: tuple[str, ...]
) -> str:
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    rows = []
    for shape in shapes:
        for row in convolutions.measure(shape, jnp.dtype(arguments.precision), device, names):
            rows.append(row)
            print(_line(row), flush=True)
    rows.sort(key=lambda row: row.seconds["ours"] / row.seconds["torch"])
    by_lax, by_torch, by_xla, by_scan = (
        [row.seconds[a] / row.seconds[b] for row in rows]
        for a, b in (
            ("ours", "lax"),
            ("ours", "torch"),
            ("without oneDNN", "torch"),
            ("in a scan", "outside a scan"),
        )
    )
    return "\n".join(
        [
            f"## {title}",
            "",
            f"{len(shapes)} shapes, {len(rows)} functions. {_MEDIANS} Time of ours as a ratio:",
            "",
            "| relative to | median | worst | above the limit |",
            "| --- | ---: | ---: | ---: |",
            _summary("lax", by_lax, 1.1),
            _summary("PyTorch", by_torch, 2.0),
            _summary("PyTorch, without oneDNN", by_xla, 2.0),
            _summary("itself, in a scan to outside", by_scan, 1.1),
            "",
            "| convolution, kernel | function | algorithm | GFLOP/s | without oneDNN | lax "
            "| PyTorch | relative to lax | relative to PyTorch | in a scan |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *map(_line, rows),
        ]
    )


def loop_table(arguments: argparse.Namespace) -> str:
    """Returns the table of `train.fit`."""
    steps = 60 if jax.default_backend() == "cpu" else 10_000
    bare, in_fit = loop.seconds_per_step(
        arguments.batch_size, arguments.precision == "bfloat16", steps
    )
    resident = loop.resident_memory()
    return "\n".join(
        [
            f"## The loop, batch {arguments.batch_size}, {arguments.precision}",
            "",
            "| | |",
            "| --- | ---: |",
            f"| a bare jitted step, ms | {1e3 * bare:.2f} |",
            f"| per step in train.fit of {steps}, including all outputs, ms | {1e3 * in_fit:.2f} |",
            f"| ratio of the two | {in_fit / bare:.3f} |",
            f"| {steps} steps after compilation, s | {in_fit * steps:.1f} |",
            *(
                f"| MiB in memory after {part:.0%} of 5,000 steps of a small model | {mib:.0f} |"
                for part, mib in resident
            ),
        ]
    )


def epoch_table(arguments: argparse.Namespace) -> str:
    """Returns the table of an epoch of the classifier."""
    functions = {
        "jaxlayers": classifier_epoch.ours(),
        "Keras on JAX": classifier_epoch.keras(),
        "PyTorch": classifier_epoch.torch(),
    }
    seconds = medians(functions, rounds=3, seconds=0)
    return "\n".join(
        [
            "## An epoch of the classifier lenet, 60,000 images of 28 x 28, batch 64, float32",
            "",
            _MEDIANS,
            "",
            "| | s | relative to ours |",
            "| --- | ---: | ---: |",
            *(
                f"| {name} | {value:.1f} | {value / seconds['jaxlayers']:.2f} |"
                for name, value in sorted(seconds.items(), key=lambda item: item[1])
            ),
        ]
    )


def accuracy_table(arguments: argparse.Namespace) -> str:
    """Returns the table of the accuracy of classifiers."""
    sources = {"mnist": arguments.mnist, "images": arguments.images, "mnist-5k": "mnist-5k"}
    lines = [
        f"## Accuracy of classifiers on validation data, {len(accuracy.SEEDS)} seeds",
        "",
        "| images | model, epochs | mean | per seed | longest, s, including compilation |",
        "| --- | --- | ---: | --- | ---: |",
    ]
    for training in accuracy.TRAININGS:
        if sources[training.source] is None:
            continue
        runs = list(accuracy.measure(training, sources[training.source]))
        accuracies, seconds = zip(*runs, strict=True)
        each = ", ".join(f"{100 * value:.2f}" for value in accuracies)
        lines.append(
            f"| {training.name} | {training.model}, {training.epochs} "
            f"| {100 * statistics.mean(accuracies):.2f} % | {each} | {max(seconds):.0f} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def memory_table(arguments: argparse.Namespace) -> str:
    """Returns the table of peak memory."""
    lines = [
        "## Peak memory of temporaries, MiB",
        "",
        "| convolution, kernel | function | ours | lax |",
        "| --- | --- | ---: | ---: |",
    ]
    for shape in all_shapes():
        for function, ours, lax in memory.measure(shape):
            lines.append(f"| {shape.name} | {function} | {ours:.1f} | {lax:.1f} |")
    return "\n".join(lines)


# How `medians` measures, for the tables.
_MEDIANS = "Medians of calls interleaved in one process."


def _summary(name: str, ratios: list[float], limit: float) -> str:
    above = sum(ratio > limit for ratio in ratios)
    median = statistics.median(ratios)
    return f"| {name} | {median:.2f} | {max(ratios):.2f} | {above} above {limit} |"


def _line(row: convolutions.Row) -> str:
    seconds = row.seconds
    measured = ("ours", "without oneDNN", "lax", "torch")
    speeds = [row.flops / seconds[name] / 1e9 for name in measured]
    ratios = [
        seconds["ours"] / seconds["lax"],
        seconds["ours"] / seconds["torch"],
        seconds["in a scan"] / seconds["outside a scan"],
    ]
    cells = [row.shape.name, row.function, row.algorithm, *(f"{s:.1f}" for s in speeds)]
    return f"| {' | '.join([*cells, *(f'{r:.2f}' for r in ratios)])} |"


def _versions() -> str:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("jax", "jaxlib", "torch", "keras", "flax")
        if _installed(name)
    )
    return f"{date.today():%Y-%m-%d}, Python {platform.python_version()}, {versions}."


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    """Returns the name of the accelerator, or of the CPU with its widest vector instructions."""
    if jax.default_backend() != "cpu":
        return jax.devices()[0].device_kind
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "cpu"
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "cpu")
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    vectors = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return ", ".join([model, *[name for flag, name in vectors.items() if flag in flags][:1]])


def _machine() -> str:
    if jax.default_backend() == "cpu":
        return f"cpu-{os.cpu_count()}-cores"
    return jax.devices()[0].device_kind.lower().replace(" ", "-")


if __name__ == "__main__":
    main()
