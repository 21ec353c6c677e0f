"""Every model at an earlier commit and in this tree: training and answers, compared to the bit.

    python benchmarks/same_bits.py HEAD~1 [--only infogan vae]

Both trees train the presets of this tree's tests/fixtures and the variants below on the same random
data, and answer with the presets that each has in zoo/presets. One process a tree, on one thread of
the processor, with deterministic operations; each takes its own tree's package. Compared are
weights, optimizers, logs of `fit` and `evaluate`, `generate`, `reconstruct`, `classify`, and names
of signatures for exports. What the earlier commit cannot load is said and left out.

Prints a row a model and exits with 1 where anything differs.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "presets"
PACKAGE, SUBPACKAGES = "keras_infomodels", ("export", "zoo")
SHOWN = 6


def spec(class_name: str, **config) -> dict:
    return {"class_name": class_name, "config": config}


MOVES = {
    "stratified": True,
    "fake_consistency_weight": 1.0,
    "real_consistency_weight": 1.0,
    "consistency": "both",
    "consistency_warmup_steps": 4,
    "continuous_warmup_steps": 4,
}
GAUSSIAN = {"likelihood": spec("Gaussian", sigma=None), "decoder.parameters": ["loc", "scale"]}
FIXED = {"likelihood": spec("Gaussian", sigma=0.3), "decoder.parameters": ["loc"]}
VARIANTS = {
    "vae_binary": ("vae", {"likelihood": spec("Bernoulli", binarization=None)}),
    "vae_threshold": ("vae", {"likelihood": spec("Bernoulli", binarization="threshold")}),
    "vae_continuous": ("vae", {"likelihood": spec("ContinuousBernoulli")}),
    "vae_gaussian": ("vae", GAUSSIAN),
    "vae_gaussian_fixed": ("vae", FIXED),
    "beta_vae_warm_up": ("beta_vae", {"warmup_steps": 4}),
    "infovae_mmd": ("infovae", {"alpha": 0.5, "lambda_": 9.0, "divergence": spec("MMD")}),
    "infovae_stein": ("infovae", {"alpha": 0.5, "lambda_": 9.0, "divergence": spec("Stein")}),
    "aae_semisupervised": (
        "aae_with_category",
        {"classification_weight": 2.0, "consistency_weight": 1.0, "consistency": "both"},
    ),
    "gan_alternating": ("gan", {"update": "alternating", "discriminator_steps": 2, "r1": 1.0}),
    "gan_hinge": ("gan", {"objective": "hinge", "discriminator.normalization": "spectral"}),
    "gan_wasserstein": ("gan", {"objective": "wasserstein", "gradient_penalty": 10.0}),
    "infogan_moves": ("infogan", MOVES),
    "infogan_semisupervised": ("infogan", {"classification_weight": 1.0, "update": "alternating"}),
    "infogan_stop_gradient": ("infogan", {"posterior": "stop_gradient"}),
    "infogan_separate": ("infogan", {"posterior": "separate"}),
    "classifier_augment": ("classifier", {"augment": True}),
}
"""A fixture, and what of its config changes; these begin with new weights of one seed."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", metavar="BASE", help="a commit")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fixtures, variants or presets")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        return answer(arguments.answer, arguments.only)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        write_cases(scratch / "cases")
        extract(arguments.base, scratch / "tree")
        run({"base": scratch / "tree", "here": ROOT}, scratch)
        sys.exit(report(scratch / "base", scratch / "here", arguments.base))


def write_cases(folder: Path):
    """The fixtures and the variants, as presets."""
    fixtures = {path.name: (path.name, {}) for path in FIXTURES.iterdir()}
    for name, (fixture, changes) in (fixtures | VARIANTS).items():
        case = shutil.copytree(FIXTURES / fixture, folder / name)
        document = json.loads((case / "config.json").read_text())
        for path, value in changes.items():
            *networks, key = path.split(".")
            config = document["config"]
            for network in networks:
                config = config[network]["config"]
            config[key] = value
        content = json.dumps(document).encode()
        (case / "config.json").write_bytes(content)
        facts = json.loads((case / "metadata.json").read_text())
        digest = hashlib.sha256(content).hexdigest()
        facts["files"]["config.json"] = {"sha256": digest, "bytes": len(content)}
        (case / "metadata.json").write_text(json.dumps(facts))


def extract(commit: str, folder: Path):
    """The package's files at a commit; nothing else of the repository changes."""
    git = ["git", "-C", str(ROOT)]
    command = [*git, "ls-tree", "--name-only", commit]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    names = [name for name in names if name in (PACKAGE, *SUBPACKAGES)]
    archive = subprocess.run([*git, "archive", commit, *names], check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def run(trees: dict[str, Path], scratch: Path):
    """Has each tree answer, from a folder of links to its package with the subpackages inside."""
    processes = []
    try:
        for name, tree in trees.items():
            package = scratch / name / PACKAGE
            package.mkdir(parents=True)
            for entry in [*(tree / PACKAGE).iterdir(), *(tree / part for part in SUBPACKAGES)]:
                if entry.exists() and entry.name != "__pycache__":
                    (package / entry.name).symlink_to(entry)
            environment = os.environ | {
                "PYTHONPATH": str(scratch / name),
                "PYTHONDONTWRITEBYTECODE": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "KERAS_INFOMODELS_OFFLINE": "1",
            }
            command = [sys.executable, __file__, *sys.argv[1:], "--answer", str(scratch / name)]
            processes.append(subprocess.Popen(command, env=environment))
        codes = [process.wait() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(codes):
        sys.exit("A tree's process ended with an error.")


# In the process of a tree


def answer(folder: Path, only: list[str] | None):
    """Writes NAME.npz of each model, or NAME.txt with the error."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cases = [(path, trained) for path in (folder.parent / "cases").iterdir()]
    presets = (folder / PACKAGE / "zoo" / "presets").glob("*/config.json")
    for path, make in sorted(cases + [(path.parent, recalled) for path in presets]):
        if only and path.name not in only:
            continue
        try:
            found = make(path)
        except Exception as error:
            line = " ".join(str(error).split())
            (folder / f"{path.name}.txt").write_text(f"{type(error).__name__}: {line}")
        else:
            found = {what.replace("/", " "): value for what, value in found.items()}
            np.savez(folder / f"{path.name}.npz", **found)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == PACKAGE and not Path(module.__file__).is_relative_to(folder):
            sys.exit(f"{name} is of another tree: {module.__file__}.")
    print(f"{folder.name}: {sys.modules[PACKAGE].__file__}")


def trained(case: Path) -> dict:
    """Eight steps of a case, and what comes of them."""
    import keras

    import keras_infomodels

    keras.utils.set_random_seed(1)
    model = keras_infomodels.from_preset(case, load_weights=case.name not in VARIANTS)
    model.compile(keras.optimizers.Adam(1e-2))
    random = np.random.default_rng(0)
    x = random.uniform(size=(64, *model.data_shape)).astype(np.float32)
    x = np.round(x) if case.name == "vae_binary" else x
    y = random.integers(-1, 3, size=64)
    validation = x[:32], y[:32]
    fit = model.fit(x, y, 16, epochs=2, validation_data=validation, verbose=0).history
    logs = model.evaluate(x, y, 16, verbose=0, return_dict=True)
    found = {f"weight {i}": weight for i, weight in enumerate(model.get_weights())}
    for name in ("optimizer", "discriminator_optimizer"):
        variables = getattr(getattr(model, name, None), "variables", [])
        found |= {f"{name} {i}": variable for i, variable in enumerate(variables)}
    found |= {f"fit's {name}": values for name, values in fit.items()}
    found |= {f"evaluate's {name}": value for name, value in logs.items()}
    return found | {"signatures": sorted(model.export_signatures())} | answers(model, x[:4])


def recalled(preset: Path) -> dict:
    """What a shipped preset answers; binary images suit every likelihood."""
    import keras_infomodels

    model = keras_infomodels.from_preset(preset)
    x = np.random.default_rng(0).integers(0, 2, size=(4, *model.data_shape))
    return answers(model, x.astype(np.float32))


def answers(model, x: np.ndarray) -> dict:
    """Images of a fixed seed, and what the model makes of x."""
    found = {"generate": model.generate(4, seed=0)} if hasattr(model, "generate") else {}
    names = [name for name in ("reconstruct", "classify") if hasattr(model, name)]
    return found | {name: getattr(model, name)(x) for name in names}


# What differs


def report(base: Path, here: Path, commit: str) -> int:
    """Prints a row a model; 1 where anything differs."""
    failed = 0
    print(f"\n| | {commit} and here |\n|---|---|")
    for name in sorted({path.stem for path in [*base.glob("*.*"), *here.glob("*.*")]}):
        arrays = [folder / f"{name}.npz" for folder in (base, here)]
        there = [path.exists() for path in arrays]
        errors = [path.with_suffix(".txt") for path in arrays]
        if errors[1].exists():
            failed, text = 1, f"**fails here**: {errors[1].read_text()}"
        elif not all(there):
            text = f"only {'here' if there[1] else f'in {commit}'}"
            text += f" ({errors[0].read_text()})" if errors[0].exists() else ""
        else:
            with np.load(arrays[0]) as old, np.load(arrays[1]) as new:
                different, text = compare(dict(old), dict(new), commit)
            failed |= different
        print(f"| {name} | {text} |")
    return failed


def compare(old: dict, new: dict, commit: str) -> tuple[bool, str]:
    """Whether anything differs, and what the table says."""
    found, largest, where = [], 0.0, ""
    for key in old | new:
        if key not in old or key not in new:
            found.append(f"{key} only {'here' if key in new else f'in {commit}'}")
            continue
        a, b = old[key], new[key]
        if a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            found.append(key)
            if a.dtype.kind == b.dtype.kind == "f" and a.shape == b.shape:
                difference = float(np.abs(a.astype(float) - b).max())
                largest, where = max((largest, where), (difference, key))
    if not found:
        return False, f"equal ({len(old)} arrays)"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    size = f"; the largest by {largest:.2g}, {where}" if where else ""
    return True, f"**differ**: {', '.join(found[:SHOWN])}{more}{size}"


if __name__ == "__main__":
    main()
