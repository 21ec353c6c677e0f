"""What every model class keeps: each test runs for each class."""

import csv
import inspect
import json

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_infomodels
from keras_infomodels import models, presets
from keras_infomodels.callbacks import AtomicBackup
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency

serialize = keras.saving.serialize_keras_object

CATEGORICAL = pytest.param("categorical", marks=pytest.mark.slow, id="CategoricalAutoencoder")


def make(request, make_model, make_gan, make_classifier, make_categorical):
    if request.param == "categorical":
        return make_categorical()
    if request.param is models.Classifier:
        return make_classifier()
    if issubclass(request.param, models.GAN):
        return make_gan(request.param)
    arguments = {"alpha": 0.5, "lambda_": 10.0} if request.param is models.InfoVAE else {}
    return make_model(request.param, **arguments)


@pytest.fixture(
    params=[
        *(pytest.param(cls, id=cls.__name__) for cls in models.MODELS.values()),
        pytest.param("categorical", id="CategoricalAutoencoder"),
    ]
)
def model(request, make_model, make_gan, make_classifier, make_categorical):
    """Every class."""
    return make(request, make_model, make_gan, make_classifier, make_categorical)


def fast_with(*fast):
    """Every class, all but those given only among the slow tests."""
    return [
        pytest.param(cls, marks=[] if cls in fast else [pytest.mark.slow], id=cls.__name__)
        for cls in models.MODELS.values()
    ] + [CATEGORICAL]


# For checks that trace several times. The two with the most machinery take turns.
ONE_OF_THEM = pytest.mark.parametrize(
    "any_model", fast_with(models.AdversarialAutoencoder), indirect=True
)


@pytest.fixture(params=fast_with(models.InfoGAN))
def any_model(request, make_model, make_gan, make_classifier, make_categorical):
    """Every class, all but one of them only among the slow tests."""
    return make(request, make_model, make_gan, make_classifier, make_categorical)


def given(model, images):
    """What `fit` takes: images, and for a classifier labels too."""
    pairs = isinstance(model, models.Classifier)
    return (images, np.arange(len(images)) % 3) if pairs else (images,)


def answer(model, images):
    """What calling the model gives: reconstructions, or a generator's images of fixed latents."""
    if isinstance(model, models.GAN):
        return model(model.latents.join(model.latents.sample(8, [0, 1])))
    return model(images)


def test_get_config_and_from_config_survive_json(model):
    config = json.loads(json.dumps(model.get_config()))
    copy = type(model).from_config(config)
    assert copy.get_config() == model.get_config()


OTHER_SETTINGS = {
    "seed": 5,
    "alpha": -0.5,
    "lambda_": 2.5,
    "beta": 3.0,
    "dip_type": "i",
    "lambda_od": 3.0,
    "lambda_d": 4.0,
    "gamma": 7.0,
    "capacity": 3.5,
    "num_values": 4,
    "quantization_weight": 0.4,
    "commitment_weight": 0.6,
    "contrastive_weight": 0.3,
    "contrastive_warmup": 8,
    "warmup": 7,
    "loss": "log_ratio",
    "category_noise": 0.7,
    "classification": serialize(Classification(2.0)),
    "consistency": serialize(Consistency(3.0, "both", 1.5, 0.2, 4)),
    "continuous_warmup": 6,
    "objective": "hinge",
    "gradient_penalty": 0.5,
    "r1": 0.25,
    "update": "alternating",
    "discriminator_steps": 2,
    "posterior": "separate",
    "information_weight": 0.8,
    "stratified": True,
    "augment": True,
}
"""Settings that are no default; `label_smoothing` and `fake_consistency_weight` exclude others."""


def test_from_config_brings_back_every_setting(model):
    config = json.loads(json.dumps(model.get_config()))
    assert set(inspect.signature(type(model)).parameters) - {"kwargs"} <= set(config)
    no_category = not getattr(model, "categorical", True)
    unfit = {"classification", "consistency"} if no_category else set()
    changes = {name: OTHER_SETTINGS[name] for name in OTHER_SETTINGS.keys() & config.keys() - unfit}
    assert all(config[name] != value for name, value in changes.items())
    again = json.loads(json.dumps(type(model).from_config(config | changes).get_config()))
    assert {name: again[name] for name in changes} == changes
    assert set(again) == set(config)


def test_compile_discriminator_optimizer_is_what_it_says(model):
    if len(model.optimizer_groups()) == 1:
        with pytest.raises(ValueError, match="no discriminator"):
            model.compile(discriminator_optimizer="adam")
        return
    model.compile()
    optimizer = model.discriminator_optimizer
    assert type(optimizer) is keras.optimizers.Adam
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(1e-3), 0.5)
    model.compile(discriminator_optimizer=keras.optimizers.SGD(0.3))
    assert float(model.discriminator_optimizer.learning_rate) == pytest.approx(0.3)


def test_models_have_no_attribute_that_keras_owns(model):
    """An attribute of Keras' own that is overwritten breaks saving or training."""
    model = type(model).from_config(model.get_config())
    own = set(vars(model)) - set(vars(keras.Model()))
    assert not {"_losses", "loss", "losses", "name", "path", "history"} & own


def test_save_and_load_model_keep_weights_and_optimizer(any_model, images, tmp_path):
    model = any_model
    model.run_eagerly = True
    model.fit(*given(model, images), batch_size=20, verbose=0)
    model.save(tmp_path / "model.keras")
    for load in (keras_infomodels.load_model, keras.models.load_model):
        copy = load(tmp_path / "model.keras")
        assert int(copy.optimizer.iterations) == 2
        np.testing.assert_array_equal(answer(copy, images), answer(model, images))
    # Training goes on to the same bits.
    copy.run_eagerly = True
    for each in (copy, model):
        each.fit(*given(each, images), batch_size=20, shuffle=False, verbose=0)
    for a, b in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_export_serves_what_a_call_and_predict_give(any_model, images, tmp_path):
    model = any_model
    model.export(tmp_path / "model", verbose=False)
    inputs = images
    if isinstance(model, models.GAN):
        inputs = model.latents.join(model.latents.sample(8, [0, 1]))
    exported = tf.saved_model.load(str(tmp_path / "model"))
    served = exported.serve(inputs)
    np.testing.assert_allclose(served, model(inputs), atol=1e-5)
    np.testing.assert_allclose(served, model.predict(inputs, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    "model",
    fast_with(models.InfoVAE, models.AdversarialAutoencoder, models.InfoGAN, models.Classifier),
    indirect=True,
)
def test_save_to_preset_and_from_preset_round_trip(model, images, tmp_path):
    random = np.random.default_rng(0)
    model.set_weights([w + 0.1 * random.uniform(size=w.shape) for w in model.get_weights()])
    model.save_to_preset(tmp_path / "preset")
    copy = type(model).from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(answer(copy, images), answer(model, images))
    assert not copy.compiled
    fresh = type(model).from_preset(tmp_path / "preset", load_weights=False)
    assert not np.array_equal(answer(fresh, images), answer(model, images))
    half = presets.from_preset(tmp_path / "preset", dtype="mixed_bfloat16")
    np.testing.assert_allclose(answer(half, images), answer(model, images), atol=0.02)
    # The optimizers' state is not in it.
    with h5py.File(tmp_path / "preset" / "model.weights.h5") as file:
        arrays = {}
        file.visititems(lambda name, o: arrays.update({name: o}) if hasattr(o, "shape") else None)
        assert sum(array.size for array in arrays.values()) == model.count_params()


@ONE_OF_THEM
@pytest.mark.filterwarnings("ignore:The batch size is 1")  # of a divergence between examples
def test_fit_and_evaluate_take_any_batch_size(any_model, images):
    model, data = any_model, given(any_model, images[:15])
    for batch in (1, 7):
        history = model.fit(*data, batch_size=batch, epochs=1, verbose=0).history
        logs = model.evaluate(*data, batch_size=batch, verbose=0, return_dict=True)
        assert all(np.isfinite(v).all() for v in (*history.values(), *logs.values()))
    classifier = isinstance(model, models.Classifier)
    assert answer(model, images[:1]).shape[1:] == ((3,) if classifier else (8, 8, 1))


@ONE_OF_THEM
def test_fit_takes_data_in_the_forms_that_keras_takes(any_model, images):
    model = any_model
    dataset = tf.data.Dataset.from_tensor_slices((images, np.arange(40) % 3)).batch(16)
    forms = [dataset, images, dataset.map(lambda x, y: x), tf.constant(images)]
    for data in forms[:1] if isinstance(model, models.Classifier) else forms:
        history = model.fit(data, epochs=1, verbose=0, validation_data=data).history
        read_out = {key for key in history if key.startswith("val_") and "information" in key}
        assert np.isfinite([history[key] for key in read_out]).all()
        assert bool(read_out) == (type(model) not in (models.GAN, models.Classifier))


def moves(model, images, scale=None, **settings):
    """By group: how four steps of plain SGD move what is trained, in a copy of the model."""
    size = len(images) // 4
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    optimizers = [keras.optimizers.SGD(1e-3) for _ in model.optimizer_groups()]
    if scale is not None:
        optimizers = [keras.optimizers.LossScaleOptimizer(each, scale) for each in optimizers]
    copy.compile(*optimizers, **settings)
    copy.fit(*given(copy, images), batch_size=size, shuffle=False, verbose=0)
    few = given(copy, images[:40])
    logs = copy.evaluate(*few, batch_size=10, verbose=0, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    return {
        group.optimizer_name: np.concatenate(
            [
                (np.array(new) - np.array(old)).ravel()
                for new, old in zip(group.variables(), earlier.variables(), strict=True)
            ]
        )
        for group, earlier in zip(copy.optimizer_groups(), model.optimizer_groups(), strict=True)
    }


@pytest.fixture(scope="module")
def plain_moves():
    """`moves` of a model that is compiled in the usual way, once a class."""
    kept = {}

    def of(model, images):
        key = json.dumps(model.get_config())
        if key not in kept:
            kept[key] = moves(model, images)
        return kept[key]

    return of


@pytest.mark.parametrize(
    "settings",
    [
        {"run_eagerly": True},
        pytest.param({"steps_per_execution": 2}, marks=pytest.mark.slow),
        pytest.param({"scale": 64.0}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_compile_settings_take_the_same_steps(any_model, images, plain_moves, settings):
    found = moves(any_model, images, **settings)
    for name, expected in plain_moves(any_model, images).items():
        assert np.linalg.norm(expected) > 1e-4
        assert np.linalg.norm(found[name] - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("any_model", fast_with(models.VAE), indirect=True)
def test_compile_jit_compile_takes_like_steps(any_model, images):
    """It draws other noise, which averages out in batches of 3,000."""
    images = np.repeat(images, 300, axis=0)
    found = moves(any_model, images, jit_compile=True)
    for name, expected in moves(any_model, images).items():
        assert np.linalg.norm(found[name] - expected) < 0.4 * np.linalg.norm(expected), name


@ONE_OF_THEM
def test_fit_repeats_with_one_seed(any_model, images):
    """Also after a hundred steps, when TensorFlow has measured and works in another order."""
    model, copy = (type(any_model).from_config(any_model.get_config()) for _ in range(2))
    for each in (model, copy):
        each.set_weights(any_model.get_weights())
        each.compile_from_config(any_model.get_compile_config())
    optimizers = [copy.optimizer, getattr(copy, "discriminator_optimizer", None)]
    variables = [*copy.variables, *(v for o in optimizers if o is not None for v in o.variables)]
    start = [np.array(variable) for variable in variables]
    copy.fit(*given(copy, images), batch_size=10, shuffle=False, epochs=25, verbose=0)
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    for each in (model, copy):
        each.fit(*given(each, images), batch_size=10, shuffle=False, epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@ONE_OF_THEM
def test_fit_works_with_the_callbacks_of_keras(any_model, images, tmp_path):
    """Each does its work, all of them in one run."""
    model = any_model
    model.compile(keras.optimizers.Adam(1e-2))
    best, log, board = (tmp_path / name for name in ("best.weights.h5", "log.csv", "board"))
    history = model.fit(
        *given(model, images),
        batch_size=20,
        epochs=6,
        validation_data=given(model, images),
        callbacks=[
            keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True),
            keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_delta=1e9),
            keras.callbacks.EarlyStopping(patience=3, min_delta=1e9),
            keras.callbacks.CSVLogger(log),
            keras.callbacks.TensorBoard(board),
        ],
        verbose=0,
    ).history
    assert len(history["loss"]) == 4  # stopped after three epochs of waiting
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-5)
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert {"loss", "val_loss", *model.term_names()} <= set(rows[0])
    for name in history.keys() - {"learning_rate"}:
        np.testing.assert_allclose([float(row[name]) for row in rows], history[name], rtol=1e-6)
    losses = {
        part: [
            float(tf.make_ndarray(value.tensor))
            for path in (board / part).iterdir()
            for event in tf.compat.v1.train.summary_iterator(str(path))
            for value in event.summary.value
            if value.tag == "epoch_loss"
        ]
        for part in ("train", "validation")
    }
    np.testing.assert_allclose(losses["train"], history["loss"], rtol=1e-6)
    np.testing.assert_allclose(losses["validation"], history["val_loss"], rtol=1e-6)
    model.load_weights(best)
    logs = model.evaluate(*given(model, images), batch_size=20, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-5)


@pytest.mark.slow
def test_fit_validates_the_averages_of_swap_ema_weights(any_model, images):
    model = any_model
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.5))
    swap = keras.callbacks.SwapEMAWeights()
    data = {"validation_data": given(model, images), "batch_size": 20, "verbose": 0}
    history = model.fit(*given(model, images), epochs=2, callbacks=[swap], **data).history
    logs = model.evaluate(*given(model, images), batch_size=20, verbose=0, return_dict=True)
    assert {f"val_{name}" for name in logs} <= set(history)
    for name, value in logs.items():
        assert history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5, abs=1e-6), name


@ONE_OF_THEM
@pytest.mark.parametrize(
    "backup",
    [AtomicBackup, pytest.param(keras.callbacks.BackupAndRestore, marks=pytest.mark.slow)],
)
def test_atomic_backup_and_backup_and_restore_resume_to_the_same_bits(
    any_model, images, tmp_path, backup
):
    def run(directory, *more):
        model = type(any_model).from_config(any_model.get_config())
        model.set_weights(any_model.get_weights())
        model.compile()
        kept = backup(directory)
        first = kept.restore(model)[0] if backup is AtomicBackup else 0
        x = tf.data.Dataset.from_tensor_slices(given(model, images)).batch(10)
        model.fit(x, initial_epoch=first, epochs=4, callbacks=[kept, *more], verbose=0)
        optimizers = [getattr(model, group.optimizer_name) for group in model.optimizer_groups()]
        assert [int(optimizer.iterations) for optimizer in optimizers] == [16] * len(optimizers)
        return [*model.get_weights(), *(np.array(v) for o in optimizers for v in o.variables)]

    def break_off(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", keras.callbacks.LambdaCallback(on_epoch_end=break_off))
    for a, b in zip(run(tmp_path / "broken"), run(tmp_path / "straight"), strict=True):
        np.testing.assert_array_equal(a, b)


@ONE_OF_THEM
@pytest.mark.slow  # test_infogan_step has one of bfloat16
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_fit_in_mixed_precision_trains_every_player(any_model, images, policy, tmp_path):
    any_model.save_to_preset(tmp_path)
    model = presets.from_preset(tmp_path, dtype=policy)
    model.compile(keras.optimizers.Adam(1e-2))
    before = {
        p.optimizer_name: [np.array(v) for v in p.variables()] for p in model.optimizer_groups()
    }
    history = model.fit(
        *given(model, images),
        batch_size=10,
        epochs=2,
        validation_data=given(model, images),
        verbose=0,
    ).history
    assert all(np.isfinite(values).all() for values in history.values())
    for group in model.optimizer_groups():
        pairs = zip(before[group.optimizer_name], group.variables(), strict=True)
        assert any(not np.array_equal(a, b) for a, b in pairs), group.optimizer_name
        optimizer = getattr(model, group.optimizer_name)
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16"), group.optimizer_name


def test_evaluate_repeats_and_changes_nothing(any_model, images):
    before = any_model.get_weights()
    data = given(any_model, images)
    logs = [any_model.evaluate(*data, verbose=0, return_dict=True) for _ in range(2)]
    assert logs[0] == logs[1]
    for a, b in zip(before, any_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
