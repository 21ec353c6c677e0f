"""What the flags of `infomodels train` ask for."""

import pytest

from keras_infomodels import cli
from keras_infomodels.zoo.recipes import Recipe


def asked(*words):
    return cli._recipe(cli._parser().parse_args(["train", *words, "--out", "any"]))


def test_train_flags_make_the_recipe_of_a_model():
    found = asked(
        "infovae", "--dataset", "mnist", "--image-size", "12x16", "--network", "conv",
        "--widths", "3,4,8", "--latent-dim", "2", "--alpha", "0.5", "--lambda", "4",
        "--kernel", "gaussian", "--likelihood", "gaussian", "--sigma", "0.3",
    )  # fmt: skip
    assert found.data.image_size == [12, 16]
    table = found.completed((12, 16, 3))
    assert (table["encoder"]["filters"], table["encoder"]["width"]) == ([3, 4], 8)
    assert table["decoder"]["latent_dim"] == table["prior"]["dimension"] == 2
    assert (table["alpha"], table["lambda_"]) == (0.5, 4.0)
    assert table["divergence"] == {"class": "MMD", "kernel": "gaussian"}
    assert table["likelihood"] == {"class": "Gaussian", "sigma": 0.3}
    assert table["decoder"]["parameters"] == ["loc"]
    assert asked("vae", "--dataset", "mnist", "--image-size", "16").data.image_size == [16, 16]


def test_train_flags_come_before_those_of_the_recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(Recipe.of("mmd_vae", dataset="mnist", epochs=9, latent_dim=3).to_toml())
    found = asked("infovae", "--recipe", str(path), "--epochs", "1", "--alpha", "0.5")
    expected = {"epochs": 1, "alpha": 0.5, "latent_dim": 3}
    assert found == Recipe.of("infovae", dataset="mnist", **expected)


def test_train_set_puts_any_value_into_the_recipe():
    given = ("model.stratified=true", "training.epochs=14", "model.discriminator.filters=[3, 4]")
    more = (
        "data.train=train[:50%]",
        "model.consistency.augmentations=both",
        "model.consistency.weight=1",
    )
    words = [word for each in given + more for word in ("--set", each)]
    found = asked("infogan", "--dataset", "mnist", *words)
    assert (found.model["stratified"], found.training.epochs) == (True, 14)
    assert found.completed((8, 8, 1))["generator"]["filters"] == [4, 3]
    assert (found.data.train, found.model["consistency"]["augmentations"]) == (
        "train[:50%]",
        "both",
    )


@pytest.mark.parametrize(
    ("assignment", "what"),
    [
        ("model.stratfied=true", "did you mean 'stratified'"),
        ("training.epochs=many", "training.epochs: .*valid integer, got 'many'"),
        ("trainig.epochs=3", r"no table 'trainig'; did you mean 'training'\?"),
        ("training.epochs", "--set takes PLACE=VALUE"),
        ("model=3", "model is a table with a class, got 3"),
        ("data=3", "data is a table, got 3"),
        ("model.class=os.system", "no model 'os.system'"),
        ("model.generator={class='Lambda'}", "'Lambda' is no class"),
    ],
)
def test_train_set_refuses_what_no_recipe_has(assignment, what):
    with pytest.raises(ValueError, match=what):
        asked("infogan", "--dataset", "mnist", "--set", assignment)
