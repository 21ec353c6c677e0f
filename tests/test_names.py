"""Suggestions for wrong names, wherever a name is looked up."""

import numpy as np
import pytest

import keras_infomodels as ki
from keras_infomodels import names
from keras_infomodels.datasets import decoding, loading, npz_source, tfds_source
from keras_infomodels.datasets.factor_source import DRAWN


def test_guess_ignores_case_and_separators_and_prefers_the_first():
    assert names.guess("MMD-vae", ["vae", "mmd_vae"]) == " Did you mean 'mmd_vae'?"
    assert names.guess("scnes", ["scenes", "scene"]) == " Did you mean 'scenes'?"
    assert names.guess("VAE", ["v_ae", "vae"]) == " Did you mean 'v_ae'?"
    assert names.guess("zebra", ["vae"]) == ""
    assert names.guess(None, ["vae"]) == ""
    assert names.guess("vae", []) == ""


def test_nearest_lists_at_most_a_dozen_names():
    assert names.nearest("vea", ["gan", "vae"]) == "did you mean 'vae'?"
    assert names.nearest("x", ["b", "a"]) == "there are: a, b."
    many = [f"name{i:02}" for i in range(40)]
    assert names.nearest("x", many) == f"there are: {', '.join(many[:12])}, ... (40 in all)"


def test_others_are_the_sets_of_other_sources():
    assert set(tfds_source.OTHERS) == {*DRAWN, *npz_source.BUNDLED, "cars3d"}
    for name in tfds_source.OTHERS:
        assert not isinstance(loading.find(name, loading.Options()), tfds_source.TfdsSource)


WRONG = {
    "MMDVAE": lambda: ki.MMD_VAE,
    "infogan_mnist": lambda: ki.list_presets().infogan_mist,
    "mmd_vae_2d_mnist": lambda: ki.from_preset("mmd_vae_2d_mnst"),
    "MMDVAE\\b": lambda: ki.registry.get("MMD_VAE"),
    "scenes": lambda: ki.datasets.load("scnes"),
    "fashion_mnist_mini": lambda: ki.datasets.load("fashion_mnist_mnii"),
    "mnist": lambda: ki.datasets.load("mnst"),
    "train": lambda: ki.datasets.load("fashion_mnist_mini", "tarin"),
    "object_hue": lambda: ki.datasets.factors("scenes").sample(1, object_hu=1),
    "pad": lambda: decoding.check_look("padd", None, "white"),
    "bernoulli": lambda: ki.distributions.likelihood("bernuolli"),
    "beta": lambda: ki.distributions.Code("c", ki.distributions.Uniform(), posterior="Beta"),
    "sliced_wasserstein": lambda: ki.divergences.divergence("sliced wasserstein"),
    "gaussian": lambda: ki.divergences.MMD("gausian"),
    "semi_analytic": lambda: ki.divergences.MMD(estimator="semianalytic"),
    "info_nce": lambda: ki.information.MutualInformation("infonce"),
    "int8": lambda: ki.export.to_tflite(None, "a.tflite", "int-8"),
    "affine": lambda: ki.Consistency(1.0, augmentations="afine"),
    "most_confident": lambda: ki.evaluation.clustering_error(
        np.arange(3), np.arange(3), matching="most confident"
    ),
    "infomec": lambda: ki.evaluation.disentanglement.report(
        np.eye(8), np.eye(8, dtype=int), metrics=["infomecs"]
    ),
}


@pytest.mark.parametrize("meant", WRONG)
def test_names_are_guessed_in_the_api(meant):
    error = (AttributeError, ValueError, FileNotFoundError, KeyError)
    with pytest.raises(error, match=f"(?i)did you mean '{meant}'\\?"):
        WRONG[meant]()


def test_names_of_codes_are_guessed(make_gan):
    model = make_gan()
    (name, *_) = model.latents.codes
    with pytest.raises(ValueError, match=f"Did you mean '{name}'"):
        model.generate(2, codes={f"{name}s": 0})
