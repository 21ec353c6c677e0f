"""`infomodels demo`: the whole road on the images inside the package."""

import shutil
import time
from pathlib import Path

from keras_infomodels import datasets, export, zoo
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

__all__ = ["demo"]


def demo(out: str | Path):
    """Trains the MMD-VAE of the mini set's recipe, exports it and runs the exports on their own.

    Args:
        out: the folder for the preset, its pictures and the exports; an earlier demo is replaced.

    Raises:
        FileExistsError: the folder is something else.
    """
    out, start = Path(out), time.monotonic()
    if out.exists():
        if not (out / ".infomodels-demo").exists():
            raise FileExistsError(f"{out} exists and is no earlier demo; choose another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / ".infomodels-demo").touch()

    recipe = Recipe.load(zoo.PRESETS / "mmd_vae_fashion_mnist_mini" / "recipe.toml")
    print(f"1. Train an MMD-VAE on {recipe.dataset}: reconstruction, rate and mutual information")
    print("   are in nats per example.")
    preset = out / "preset"
    model = train(recipe, preset)

    print("\n2. Measure it on test images, which it has not seen:")
    test = datasets.load(recipe.dataset, recipe.test_split, recipe.batch_size)
    for name, value in model.evaluate(test, return_dict=True, verbose=0).items():
        print(f"   {name:20} {value:10.4f}")
    print(f"   I_q(x;z) = {model.mutual_information(test)}")

    print("\n3. Export it, and run the exports in processes of their own:")
    images = next(iter(test)).numpy()
    targets = {
        "without this library and TFP": export.to_saved_model(model, out / "saved_model"),
        "without TensorFlow": export.to_tflite(model, out / "model.tflite"),
    }
    for without, path in targets.items():
        report = export.check_parity(model, path, images, isolated=True)
        largest = max(parity.largest for parity in report.signatures.values())
        print(f"   {path} ({report.bytes / 1e6:.1f} MB), {without}:")
        print(f"     {', '.join(report.signatures)}: at most {largest:.1e} from Keras")

    print(f"\nDone in {time.monotonic() - start:.0f} s. The model and its card are in {preset};")
    print("pictures to look at:")
    for picture in sorted((preset / "run").glob("*.png")):
        print(f"   {picture}")
