"""What a step of an InfoGAN runs and in which precision, two categories, and traversals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import networks, seeds
from keras_infomodels.distributions import Categorical, Code, Normal, Uniform
from keras_infomodels.models import InfoGAN
from keras_infomodels.optimizers import FusedAdam
from keras_infomodels.training.consistency import Consistency, category_consistency, random_affine

SEED = tf.constant([3, 4])


class Counted(keras.layers.Layer):
    """Lets everything through and counts how often."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x


@pytest.mark.parametrize(
    ("update", "turns", "generator", "discriminator"),
    [("simultaneous", 1, 1, 2), ("alternating", 1, 2, 3), ("alternating", 2, 3, 5)],
)
def test_infogan_fit_runs_each_network_a_known_number_of_times(
    images, update, turns, generator, discriminator
):
    z, image, features = keras.Input((9,)), keras.Input((8, 8, 1)), keras.Input((6,))
    of_latents, of_images = Counted(), Counted()
    fake = keras.layers.Dense(64, "sigmoid")(of_latents(z))
    h = keras.layers.Dense(6)(keras.layers.Flatten()(of_images(image)))
    model = InfoGAN(
        keras.Model(z, keras.layers.Reshape((8, 8, 1))(fake)),
        keras.Model(image, {"logits": keras.layers.Dense(1)(h), "features": h}),
        5,
        [Code("digit", Categorical(4))],
        recognition=keras.Model(features, {"digit": keras.layers.Dense(4)(features)}),
        update=update,
        discriminator_steps=turns,
    )
    model.compile(run_eagerly=True)
    of_latents.calls = of_images.calls = 0
    model.fit(images[:20], batch_size=20, verbose=0)
    assert (of_latents.calls, of_images.calls) == (generator, discriminator)


def half_precision(images, **settings):
    """A compiled InfoGAN in float32 and one in mixed_bfloat16 with the same weights."""
    codes = [Code("digit", Categorical(4)), Code("slant", Uniform())]
    models = []
    keras.utils.set_random_seed(0)
    for dtype in ("float32", "mixed_bfloat16"):
        model = InfoGAN(
            networks.ConvGenerator((8, 8, 1), 10, (4, 3), 8, dtype=dtype),
            networks.ConvDiscriminator((8, 8, 1), (3, 4), 8, None, dtype=dtype),
            5,
            codes,
            **settings,
        )
        model.compile(FusedAdam(1e-3), FusedAdam(1e-3))
        models.append(model)
    models[1].set_weights(models[0].get_weights())
    return models


def test_infogan_mixed_bfloat16_keeps_variables_in_float32(images):
    _, model = half_precision(images)
    model.fit(images[:20], batch_size=20, verbose=0)
    optimizers = (model.optimizer, model.discriminator_optimizer)
    kept = [v for optimizer in optimizers for v in optimizer.variables if v.dtype != "int64"]
    assert len(kept) > 20
    assert {v.dtype for v in (*kept, *model.trainable_variables)} == {"float32"}
    outputs = model.discriminator(images)
    for value in (outputs["logits"], *model.recognition(outputs["features"]).values()):
        rounded = tf.cast(tf.cast(value, tf.bfloat16), tf.float32)
        assert value.dtype == tf.float32
        assert np.any(value != rounded), "computed in bfloat16, then cast"


@pytest.mark.parametrize(
    ("settings", "weight"),
    [({"r1": 10.0}, "r1"), ({"objective": "wasserstein"}, "gradient_penalty"), ({}, None)],
)
def test_infogan_mixed_bfloat16_losses_equal_those_of_float32(images, settings, weight):
    """A penalty by itself too: what the objective is with it less what it is without."""
    found = []
    for model in half_precision(images, **settings):
        terms = model.terms(tf.constant(images), None, SEED, training=True)
        assert {value.dtype for value in terms.values()} == {tf.float32}
        found.append({name: float(value) for name, value in terms.items()})
        if weight:
            penalty = terms["discriminator_objective"] + sum(
                model.latents.codes[name].weight
                * (terms[f"information_{name}"] - model.latents.codes[name].entropy)
                for name in model.latents.codes
            )
            found[-1]["penalty"] = float(penalty - terms["discriminator_loss"])
            assert found[-1]["penalty"] > 1e-3
    for name, value in found[0].items():
        # The penalty squares what rounding leaves of a gradient.
        close = 0.06 if "penalty" in name else 0.03
        assert found[1][name] == pytest.approx(value, rel=close, abs=0.01), name


def test_infogan_terms_of_two_categories_add_up(make_gan, images):
    """Every term is the sum of the first category's and the second's."""
    codes = [Code("digit", Categorical(4)), Code("style", Categorical(3), weight=0.5)]
    model = make_gan(
        codes=codes,
        fake_consistency_weight=2.0,
        consistency=Consistency(3.0, "affine"),
        stratified=True,
    )
    terms = model.terms(tf.constant(images), None, SEED, training=True)
    fake = model.generate_batch(len(images), SEED, True)
    real = model.discriminate_real(tf.constant(images), SEED, True)
    numbers = model.posterior_params(real["images"], real["outputs"], True)
    fold_in = tf.random.experimental.stateless_fold_in
    moved_fake = model.recognize(
        random_affine(fake["images"], fold_in(SEED, seeds.CONSISTENCY_FAKE)), True
    )
    moved_real = model.recognize(random_affine(images, fold_in(SEED, seeds.CONSISTENCY_REAL)), True)
    of_fake = of_real = 0.0
    for code in codes:
        log_q = tf.nn.log_softmax(moved_fake[code.name])
        of_fake -= tf.reduce_mean(tf.reduce_sum(fake["parts"][code.name] * log_q, axis=1))
        of_real += category_consistency(numbers[code.name], moved_real[code.name])
    assert float(terms["fake_consistency"]) == pytest.approx(float(of_fake), rel=1e-5)
    assert float(terms["real_consistency"]) == pytest.approx(float(of_real), rel=1e-5)
    both = terms["information_digit"] + terms["information_style"]
    assert float(terms["information"]) == pytest.approx(float(both), rel=1e-6)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    for code in codes:
        p = model.infer_codes(images)[code.name].probs_parameter().numpy()
        mean = p.mean(0)
        expected = -(mean * np.log(mean)).sum() + (p * np.log(p)).sum(1).mean()
        assert logs[f"information_real_{code.name}"] == pytest.approx(expected, abs=1e-5)


def test_infogan_traverse_generates_each_value_of_one_code(make_gan):
    codes = [Code("digit", Categorical(4)), Code("slant", Uniform()), Code("size", Normal())]
    model = make_gan(codes=codes)
    values = {
        "digit": np.eye(4),
        "slant": [[-1.0], [-0.5], [0.0], [0.5], [1.0]],
        "size": [[-2.0], [-1.0], [0.0], [1.0], [2.0]],
    }
    for name, along in values.items():
        grid = model.traverse(name, rows=2, columns=5, seed=3).numpy()
        assert grid.shape == (2, len(along), 8, 8, 1)
        parts = model.latents.sample(2, model.drawing_seed(3))
        for column, value in enumerate(along):
            parts[name] = tf.constant([value, value], tf.float32)
            expected = model(model.latents.join(parts)).numpy()
            np.testing.assert_allclose(grid[:, column], expected, atol=1e-6)
        assert np.abs(grid[:, 0] - grid[:, -1]).max() > 1e-4
    with pytest.raises(ValueError, match="digit, slant, size"):
        model.traverse("width")
