"""Arguments and methods of version 0.1, which warn, and configs with them, which do not."""

import pytest

from keras_infomodels.models import AdversarialAutoencoder, BetaVAE, InfoGAN, base
from keras_infomodels.models.old_arguments import OLD_METHODS
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency

AAE_OLD = {
    "classification_weight": 2.0,
    "consistency_weight": 3.0,
    "consistency": "both",
    "consistency_radius": 1.5,
    "evenness_slack": 0.2,
    "consistency_warmup_steps": 4,
}
AAE_NEW = {
    "classification": Classification(2.0),
    "consistency": Consistency(3.0, "both", 1.5, 0.2, 4),
}
GAN_OLD = {
    "real_consistency_weight": 1.5,
    "consistency_warmup_steps": 3,
    "continuous_warmup_steps": 6,
}
GAN_NEW = {"consistency": Consistency(1.5, "affine", warmup=3), "continuous_warmup": 6}
PAIRS = [
    (AdversarialAutoencoder, AAE_OLD, AAE_NEW, "write classification=Classification"),
    (AdversarialAutoencoder, {"consistency": "affine"}, {}, "consistency of Adversarial"),
    (InfoGAN, GAN_OLD, GAN_NEW, r"write continuous_warmup=.*consistency=Consistency"),
    (BetaVAE, {"warmup_steps": 5}, {"warmup": 5}, r"write warmup=Warmup\(steps=5\)"),
]


def own(model):
    """What the constructor's new arguments became."""
    names = ("classification", "consistency", "continuous_warmup", "warmup")
    return {name: repr(getattr(model, name)) for name in names if hasattr(model, name)}


@pytest.mark.parametrize(("cls", "old", "new", "what"), PAIRS)
def test_renew_and_warn_takes_arguments_of_0_1(
    make_model, make_gan, make_categorical, cls, old, new, what
):
    makers = {AdversarialAutoencoder: make_categorical, InfoGAN: make_gan}
    make = makers.get(cls, lambda **settings: make_model(cls, **settings))
    expected = make(**new)
    with pytest.warns(DeprecationWarning, match=rf"(?s)removed in version 0\.3.*|{what}") as caught:
        found = make(**old)
    assert own(found) == own(expected)
    assert "will be removed in version 0.3" in str(caught[0].message)
    config = {k: v for k, v in expected.get_config().items() if k not in own(expected)}
    assert own(cls.from_config(config | old)) == own(expected)  # without a warning


def test_old_methods_are_read_with_a_warning(make_model, make_gan):
    gan = make_gan()
    for name, new in OLD_METHODS.items():
        if hasattr(type(gan), new):
            with pytest.warns(
                DeprecationWarning, match=f"{name} of InfoGAN will be removed .* write {new}"
            ):
                assert getattr(gan, name) == getattr(gan, new)
    with pytest.raises(AttributeError, match="no attribute 'judge'"):
        _ = make_model(BetaVAE).judge
    with pytest.warns(DeprecationWarning, match="LedgerModel"):
        assert base.LedgerModel is base.InfoModel


def test_renew_methods_takes_hooks_of_a_users_class_by_their_old_names():
    with pytest.warns(
        DeprecationWarning, match="ledger_names of Own will be removed .* write term_names"
    ):

        class Own(base.InfoModel):
            def ledger_names(self):
                return ["loss", "own"]

    assert Own.term_names(None) == ["loss", "own"]
