"""Texts of the cards of the GANs."""

from collections.abc import Mapping
from dataclasses import replace

from keras_infomodels.models.cards import FOR, GENERATE, VARIETY, CardWords

__all__ = ["gan_words", "infogan_words"]

_GAN = f"{FOR} {VARIETY} There is no encoder and no likelihood."
_INFOGAN = (
    f"{FOR} The information is measured with the model's own Q on generated images; on real images "
    "Q may be wrong with high confidence. The effect of a code is found by looking at images. It "
    "holds for these weights only and is rarely a single property. Images get worse towards the "
    f"ends of a code's range. {VARIETY}"
)


def gan_words(config: Mapping) -> CardWords:
    """Returns the card's text on a GAN with this config."""
    codes = " and codes" if config.get("codes") else ""
    return CardWords(f"{config['noise_dim']} noise variables{codes}", GENERATE, _GAN)


def infogan_words(config: Mapping) -> CardWords:
    """Returns the card's text on an InfoGAN with this config."""
    codes = [code["config"] for code in config.get("codes", ())]
    names = [code["name"] for code in codes if code["prior"]["class_name"] == "Categorical"]
    use = GENERATE
    if names:
        use = (
            f'images = model.generate(8, codes={{"{names[0]}": 0}}, seed=0)  # in [0, 1]\n'
            f'category = model.infer_codes(images)["{names[0]}"].mode()'
        )
    return replace(gan_words(config), use=use, limits=_INFOGAN)
