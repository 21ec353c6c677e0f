"""Old names of arguments and attributes, which work with a warning until version 0.3."""

import keras
import pytest

import keras_infomodels as ki
from keras_infomodels import networks
from keras_infomodels.distributions import Categorical, CategoricalNormal
from keras_infomodels.renames import rename

ENCODERS = (networks.MLPEncoder, networks.ConvEncoder, networks.ResidualEncoder)


def test_rename_replaces_old_keys_alone():
    assert rename(a="b")({"a": 1, "c": 2}) == {"b": 1, "c": 2}
    assert rename(a="b")({"b": 1}) == {"b": 1}


def units(encoder):
    return [encoder.get_layer(name).units for name in ("logits", "loc")]


@pytest.mark.parametrize("cls", ENCODERS)
def test_encoders_take_categories_with_the_latent_dim_of_0_1(cls):
    """There `latent_dim` counts the continuous variables: 2 of them and 3 categories are 5."""
    with pytest.warns(DeprecationWarning, match=r"write latent_dim=5, num_categories=3\."):
        old = cls((8, 8, 1), 2, categories=3)
    new = cls((8, 8, 1), latent_dim=5, num_categories=3)
    assert units(old) == units(new) == [3, 2]
    config = new.get_config() | {"latent_dim": 2, "categories": 3, "name": "old"}
    del config["num_categories"]
    assert units(cls.from_config(config)) == [3, 2]  # without a warning
    with pytest.raises(ValueError, match="latent_dim is at least 4"):
        cls((8, 8, 1), latent_dim=3, num_categories=3)


def test_encoders_add_categories_to_their_default_latent_dim():
    with pytest.warns(DeprecationWarning, match="latent_dim=13"):
        assert units(networks.MLPEncoder((8, 8, 1), categories=3)) == [3, 10]


def test_priors_take_the_names_of_0_1():
    with pytest.warns(DeprecationWarning, match="write num_categories=4, continuous_dim=2"):
        prior = CategoricalNormal(categories=4, dimension=2)
    assert prior.get_config() == {"num_categories": 4, "continuous_dim": 2}
    with pytest.warns(DeprecationWarning, match="dimension of CategoricalNormal .* continuous_dim"):
        assert prior.dimension == 2
    with pytest.warns(DeprecationWarning, match="write num_categories=5"):
        assert Categorical(categories=5).dimension == 5
    old = CategoricalNormal.from_config({"categories": 4, "dimension": 2})  # without a warning
    assert old.get_config() == prior.get_config()


def test_consistency_takes_the_names_of_0_1():
    with pytest.warns(DeprecationWarning, match=r"augmentations='both', balance_tolerance=0\.1"):
        old = ki.Consistency(2.0, moves="both", evenness_slack=0.1)
    assert old.get_config() == ki.Consistency(2.0, "both", balance_tolerance=0.1).get_config()
    with pytest.warns(DeprecationWarning, match="write augmentations"):
        assert old.moves == "both"
    config = {"weight": 2.0, "moves": "affine", "evenness_slack": 0.0}
    assert ki.Consistency.from_config(config).augmentations == "affine"  # without a warning


def test_keras_files_hold_the_names_of_today(tmp_path):
    encoder = networks.MLPEncoder((2, 2, 1), latent_dim=5, widths=(3,), num_categories=3)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert loaded.get_config() == encoder.get_config()
