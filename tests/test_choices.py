"""What `train` chooses for a folder of pictures, and that it says so."""

import numpy as np
import pytest
from PIL import Image

from keras_infomodels.zoo import build, choices
from keras_infomodels.zoo.recipes import Recipe


@pytest.fixture
def folder(tmp_path):
    """Makes a folder of pictures, flat or with splits."""

    def make(shape, counts):
        for part, count in counts.items():
            (tmp_path / part).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = np.full(shape, 40 + i, np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / f"{i}.png")
        return tmp_path

    return make


def chosen(folder, model="vae", **settings):
    recipe = Recipe.of(model, dataset=str(folder), **settings)
    return choices.choose(recipe, settings, None)


def test_choose_keeps_one_small_size_and_splits_a_flat_folder(folder):
    recipe = chosen(folder((45, 61, 3), {".": 100}))
    assert recipe.data.image_size is None
    assert (recipe.data.train, recipe.data.test) == ("train[:80%]", "train[90%:]")
    assert (recipe.training.batch_size, recipe.training.epochs) == (64, 300)
    assert recipe.training.patience == 60


def test_choose_takes_64_for_large_and_for_different_sizes(folder):
    assert chosen(folder((150, 90, 3), {"a": 3})).data.image_size == [64, 64]
    mixed = folder((45, 61, 3), {"b": 3})
    assert chosen(mixed).data.image_size == [64, 64]
    assert chosen(mixed, image_size=[32, 40]).data.image_size == [32, 40]


def test_choose_takes_splits_as_they_are_named(folder):
    recipe = chosen(folder((9, 9, 3), {"train": 4, "val": 2, "test": 2}))
    data = recipe.data
    assert (data.train, data.validation, data.test) == ("train", "validation", "test")


def test_choose_leaves_given_settings(folder):
    recipe = chosen(folder((45, 61, 3), {".": 20}), epochs=2, batch_size=5)
    assert (recipe.training.epochs, recipe.training.batch_size) == (2, 5)


def test_choose_leaves_small_grey_images_as_they_were(folder):
    recipe = chosen(folder((28, 28), {"train": 9, "test": 2}))
    usual = Recipe.of("vae", dataset="x").training
    assert recipe.training == usual


def test_choose_gives_a_gan_of_few_gray_images_the_settings_of_color(folder):
    path = folder((28, 28), {"train": 9, "test": 2})
    recipe = chosen(path, "infogan")
    model = build.build_model(recipe, (28, 28, 1), 300)
    assert model.discriminator.get_config()["normalization"] is None
    assert model.generator.get_config()["upsampling"] == "bilinear"
    training = recipe.training
    assert (training.batch_size, training.epochs, training.weight_average) == (64, 300, 0.999)
    assert training.optimizer["learning_rate"] == 1e-3
    assert training.discriminator_optimizer["learning_rate"] == 1e-3
    given = chosen(path, "infogan", normalization="batch")
    assert given.model["discriminator"]["normalization"] == "batch"


def test_choose_leaves_a_given_upsampling_of_a_gan(folder):
    recipe = Recipe.of("gan", dataset=str(folder((28, 28), {"train": 9, "test": 2})))
    recipe = recipe.put({"model.generator.upsampling": "transposed"})
    recipe = choices.choose(recipe, {"upsampling"}, None)
    model = build.build_model(recipe, (28, 28, 1), 1)
    assert model.generator.get_config()["upsampling"] == "transposed"
    assert model.discriminator.get_config()["normalization"] is None


def test_choose_augments_and_averages_a_gan_of_few_images(folder):
    path = folder((32, 32, 3), {".": 20})
    recipe = chosen(path, "infogan")
    assert recipe.model["augmentation"] == {"class": "Augmentation"}
    assert (recipe.training.weight_average, recipe.training.patience) == (0.999, None)
    assert build.build_model(recipe, (32, 32, 3), 300).augmentation.cutout == 0.5
    assert "augmentation" not in chosen(path, "aae").model


def test_choose_fits_the_prior_of_autoencoders_with_a_normal_one(folder):
    path = folder((45, 61, 3), {".": 20})
    assert chosen(path).training.fit_prior
    assert not chosen(path, "aae", prior="gaussian_mixture").training.fit_prior
    assert not chosen(path, "dip_vae").training.fit_prior
    assert not chosen(path, latent_dim=300).training.fit_prior
    with pytest.raises(ValueError, match="at most 256 latent variables"):
        Recipe.of("vae", dataset=str(path), latent_dim=300).put({"training.fit_prior": True})
    recipe = Recipe.of("vae", dataset=str(path))
    assert not choices.choose(recipe, {"fit_prior"}, None).training.fit_prior
    with pytest.raises(ValueError, match="fit_prior is for autoencoders with a normal prior"):
        Recipe.of("infogan", dataset=str(path)).put({"training.fit_prior": True})


def test_choose_trains_residual_autoencoders_at_twice_the_rate(folder):
    path = folder((45, 61, 3), {".": 20})

    def rate(model="vae", **settings):
        return chosen(path, model, **settings).training.optimizer["learning_rate"]

    assert rate() == rate("mmd_vae") == 2e-3
    assert rate(learning_rate=5e-4) == 5e-4
    assert rate(network="conv") == rate(widths=[8, 16]) == rate("infogan") == 1e-3
    own = Recipe.of("vae", dataset=str(path)).put({"training.optimizer.class": "SGD"})
    assert choices.choose(own, {"class"}, None).training.optimizer["learning_rate"] == 1e-3


def test_described_names_the_choices_and_their_flags(folder):
    recipe = chosen(folder((150, 90, 3), {".": 20}), epochs=2)
    model = build.build_model(recipe, (64, 64, 3), 2)
    text = choices.described(recipe, model, 1)
    assert "\n" not in text
    assert "64x64x3 (resized to it, what does not fit is cropped; --image-size)" in text
    assert "ResidualEncoder, ResidualDecoder of 0.61 million parameters (--network" in text
    assert "32 latent variables (--latent-dim)" in text
    assert "likelihood shared_gaussian (--likelihood)" in text
    assert "prior fitted after training (--set training.fit_prior=false)" in text
    assert "2 epochs (--epochs) of 1 step of 64 images (--batch-size)" in text
