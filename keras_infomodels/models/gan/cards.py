"""What a card says of a GAN."""

from collections.abc import Mapping
from dataclasses import replace

from keras_infomodels.models.cards import FOR, GENERATE, VARIETY, CardWords

__all__ = ["gan_words", "infogan_words"]

_GAN = f"{FOR} {VARIETY} There is no encoder and no likelihood."
_INFOGAN = (
    f"{FOR} The information is what the model's own Q reads from generated images; on "
    "real ones Q may be wrong and sure of it. What a code does is found by looking, holds for "
    "these weights alone, and is seldom one thing; away from the middle of its range images get "
    f"worse. {VARIETY}"
)


def gan_words(config: Mapping) -> CardWords:
    """What a card says of a GAN with this config."""
    codes = " and codes" if config.get("codes") else ""
    return CardWords(f"{config['noise_dim']} noise variables{codes}", GENERATE, _GAN)


def infogan_words(config: Mapping) -> CardWords:
    """What a card says of an InfoGAN with this config."""
    codes = [code["config"] for code in config.get("codes", ())]
    names = [code["name"] for code in codes if code["prior"]["class_name"] == "Categorical"]
    use = GENERATE
    if names:
        use = (
            f'images = model.generate(8, codes={{"{names[0]}": 0}}, seed=0)  # in [0, 1]\n'
            f'category = model.infer_codes(images)["{names[0]}"].mode()'
        )
    return replace(gan_words(config), use=use, limits=_INFOGAN)
