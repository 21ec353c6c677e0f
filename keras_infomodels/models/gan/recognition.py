"""Networks of the recognition head Q, made after the discriminator."""

import keras

from keras_infomodels.networks import ConvDiscriminator

__all__ = ["head_like", "trunk_like"]


def head_like(discriminator: keras.Model) -> dict:
    """What Q's head takes over from a `ConvDiscriminator`."""
    config = discriminator.get_config() if isinstance(discriminator, ConvDiscriminator) else {}
    batch = config.get("normalization", "batch") == "batch"
    return {"dtype": config.get("dtype"), "normalization": "batch" if batch else None}


def trunk_like(discriminator: keras.Model) -> keras.Model:
    """A trunk of the discriminator's kind, with weights of its own."""
    if not isinstance(discriminator, ConvDiscriminator):
        raise ValueError(
            'posterior="separate" needs a recognition_trunk: a Keras model from images to '
            '{"features"}; only beside a ConvDiscriminator it is made by itself.'
        )
    own = {"name": "recognition_trunk", "judging": False, "trainable": True, "frozen": ()}
    return ConvDiscriminator(**discriminator.get_config() | own)
