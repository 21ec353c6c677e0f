"""`infomodels demo`: all steps on the models and images inside the package."""

import shutil
import time
from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels import datasets, export, plots, zoo
from keras_infomodels.evaluation import clustering_error
from keras_infomodels.information import category_information
from keras_infomodels.presets import from_preset
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

__all__ = ["demo"]


def demo(out: str | Path):
    """Shows a pretrained InfoGAN, trains an MMD-VAE, exports it and runs the exports.

    Args:
        out: str or path. Folder for pictures, the preset and the exports. An earlier demo is
            replaced.

    Raises:
        FileExistsError: If the folder exists and is not from an earlier demo.
    """
    out, start = Path(out), time.monotonic()
    if out.exists():
        if not (out / ".infomodels-demo").exists():
            raise FileExistsError(
                f"{out} exists and is not from an earlier demo; choose another --out."
            )
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / ".infomodels-demo").touch()

    preset, name = out / "preset", "infogan_mnist"
    print(f"1. Load {name}, whose codes were found without labels, and infer the codes of")
    print("   real digits:")
    _take(name, out / "zoo")

    recipe = Recipe.load(zoo.PRESETS / "mmd_vae_fashion_mnist_mini" / "recipe.toml")
    print(f"\n2. Train an MMD-VAE on {recipe.data.name}: reconstruction, rate and mutual")
    print("   information are in nats per example.")
    model = train(recipe, preset)

    print("\n3. Measure it on test images, which it has not seen:")
    test = datasets.load(recipe.data.name, recipe.data.test, recipe.training.batch_size)
    for term, value in model.evaluate(test, return_dict=True, verbose=0).items():
        print(f"   {term:20} {value:10.4f}")
    print(f"   I_q(x;z) = {model.mutual_information(test)}")

    print("\n4. Export it, and run the exports in processes of their own:")
    _export(model, next(iter(test)), out)

    print(f"\nDone in {time.monotonic() - start:.0f} s. The model and its card are in {preset};")
    print("pictures to look at:")
    for picture in [*sorted((out / "zoo").glob("*.png")), *sorted((preset / "run").glob("*.png"))]:
        print(f"   {picture}")
    print(
        "Next: `infomodels explore` to play with it; `infomodels list` for all pretrained models,"
    )
    print("in color too; `infomodels train mmd_vae --dataset FOLDER` for pictures of your own.")


def _take(name: str, out: Path):
    """Pictures of a pretrained InfoGAN, and what its codes say of the digits in the package."""
    model = from_preset(name)
    images, labels = datasets.load_arrays("mnist_mini", "test")
    images = images / 255
    category, *others = model.latents.codes
    codes = model.infer_codes(images)
    found = codes[category].mode().numpy().argmax(axis=1)
    surely = codes[category].probs_parameter().numpy().max(axis=1)
    means = {other: codes[other].mean().numpy()[:, 0] for other in others}
    print(f"   label  {category}  with q  " + "  ".join(f"{other:>5}" for other in others))
    for row in range(5):
        cells = "  ".join(f"{means[other][row]:5.2f}" for other in others)
        print(f"   {labels[row]:5}  {found[row]:5}  {surely[row]:6.3f}  {cells}")
    score = clustering_error(labels, found)
    wrong = round(score.error * len(labels))
    print(f"   With a label for each {category}, {wrong} of {len(labels)} images have a wrong one.")
    print(f"   I(x;{category}) = {category_information(codes[category].probs_parameter())}")
    for title, figure in plots.model_pictures(model, images).items():
        plots.save(figure, out / f"{title}.png")


def _export(model: keras.Model, images: tf.Tensor, out: Path):
    targets = {
        "without this library and TFP": export.to_saved_model(model, out / "saved_model"),
        "without TensorFlow": export.to_tflite(model, out / "model.tflite"),
    }
    for without, path in targets.items():
        report = export.check_parity(model, path, images.numpy(), isolated=True)
        largest = max(parity.largest for parity in report.signatures.values())
        print(f"   {path} ({report.bytes / 1e6:.1f} MB), {without}:")
        print(f"     {', '.join(report.signatures)}: at most {largest:.1e} from Keras")
