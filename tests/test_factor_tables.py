"""Tables of what codes tell of the factors of drawn images."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.zoo.factor_tables import factor_figures, factor_table
from keras_infomodels.zoo.recipes import Recipe

tfd = tfp.distributions


class Reader(keras.Model):
    """Reads the hue of the floor off the lowest row of a scene, and a code that is noise."""

    codes = ("hue", "noise")

    def infer_codes(self, images):
        floor = tf.cast(images, tf.float32)[:, -1, 0]
        angle = tf.math.atan2(
            np.sqrt(3.0) * (floor[:, 1] - floor[:, 2]), 2 * floor[:, 0] - floor[:, 1] - floor[:, 2]
        )
        hue = tf.cast(tf.round(10 * angle / (2 * np.pi)), tf.int32) % 10
        noise = tf.random.stateless_normal((len(floor), 1), (0, 1))
        return {
            "hue": tfd.OneHotCategorical(tf.one_hot(hue, 10) * 9),
            "noise": tfd.Normal(noise, 1),
        }


@pytest.fixture(scope="module")
def figures():
    return factor_figures(Reader(), Recipe.of("infogan", dataset="scenes", image_size=[32, 32]))


def test_factor_figures_of_a_perfect_code_are_the_entropy_and_an_accuracy_of_1(figures):
    found = figures["factor_information_hue__floor_hue"]
    # Ten equally frequent hues; the frequencies of 10,000 draws differ by 1 %.
    assert found["value"] == pytest.approx(np.log(10), abs=0.005)
    assert figures["factor_accuracy_hue__floor_hue"]["value"] == 1


@pytest.mark.parametrize("factor", ["wall_hue", "shape", "view"])
def test_factor_figures_of_an_unrelated_code_are_those_of_shuffles(figures, factor):
    # The estimator's spread under independence is below .003 nats for 10 x 15 cells.
    assert abs(figures[f"factor_information_hue__{factor}"]["value"]) < 0.01
    assert abs(figures[f"factor_shuffled_hue__{factor}"]["value"]) < 0.01
    sizes = {"wall_hue": 10, "shape": 4, "view": 15}
    accuracy = figures[f"factor_accuracy_hue__{factor}"]["value"]
    assert accuracy == pytest.approx(1 / sizes[factor], abs=0.02)


def test_factor_figures_cut_a_continuous_code_into_bins(figures):
    # 20 bins against 10 hues: a plug-in estimate would be near 19 * 9 / 20,000 = .009.
    assert abs(figures["factor_information_noise__floor_hue"]["value"]) < 0.01


def test_factor_figures_are_for_codes_on_drawn_sets():
    assert factor_figures(Reader(), Recipe.of("infogan", dataset="mnist")) == {}
    assert factor_figures(keras.Sequential(), Recipe.of("vae", dataset="scenes")) == {}


def test_factor_table_has_a_row_for_each_code(figures):
    lines = factor_table(figures).splitlines()
    assert lines[2].startswith("| code | floor hue | wall hue |")
    assert lines[4].startswith("| hue | 2.30 (")
    assert lines[4].split("|")[2].endswith("100 % ")
    assert factor_table({"loss": {"value": 1.0}}) == ""


class Encoder(keras.Model):
    """Has the floor's hue, plus a little noise, as its first latent variable."""

    def __init__(self, latent_dim):
        super().__init__()
        self.latent_dim = latent_dim

    def encode(self, images):
        hue = Reader().infer_codes(images)["hue"].logits_parameter().numpy().argmax(axis=1)[:, None]
        noise = tf.random.stateless_normal((len(hue), self.latent_dim), (0, 1))
        return tfd.Normal(tf.concat([hue + 0.01 * noise[:, :1], noise[:, 1:]], axis=1), 1.0)


@pytest.mark.slow
def test_factor_figures_of_an_autoencoder_are_of_its_latent_variables():
    recipe = Recipe.of("vae", dataset="scenes", image_size=[32, 32])
    found = factor_figures(Encoder(2), recipe)
    # Two of 20 bins hold each hue, but for the hues at the edges of bins, of which one is 3 %.
    assert found["factor_information_z0__floor_hue"]["value"] == pytest.approx(np.log(10), abs=0.2)
    assert abs(found["factor_information_z1__floor_hue"]["value"]) < 0.01
    assert "posterior mean" in found["factor_information_z1__floor_hue"]["protocol"]
    assert factor_figures(Encoder(17), recipe) == {}
