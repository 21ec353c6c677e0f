"""Stateless seeds: all random numbers of a step depend only on (seed, stream, counter)."""

import secrets

import tensorflow as tf

__all__ = [
    "AUGMENT_FAKE",
    "AUGMENT_REAL",
    "CONSISTENCY_FAKE",
    "CONSISTENCY_REAL",
    "CONTRAST",
    "DISCRIMINATOR_STEP",
    "LATENTS",
    "PENALTY",
    "TABLE",
    "TEST",
    "TRAIN",
    "fold_seed",
    "fresh_seed",
]

TRAIN, TEST, TABLE = 0, 1, 2
"""Streams: training steps, test steps, the table of encodings behind an information estimate."""

LATENTS, PENALTY, CONSISTENCY_FAKE, CONSISTENCY_REAL, DISCRIMINATOR_STEP = range(5)
"""Streams within a step of a GAN; those from DISCRIMINATOR_STEP on are for alternating updates."""

CONTRAST, AUGMENT_FAKE, AUGMENT_REAL = -3, -2, -1
"""Further streams within a step of a GAN."""


def fold_seed(seed: int, *data) -> tf.Tensor:
    """Combines a seed and further integers to a new seed.

    Keras does not save the state of a `SeedGenerator`, so a resumed run would repeat its noise. A
    seed that depends on the optimizer's iterations continues correctly.

    Args:
        seed: int. The model's seed.
        *data: int or scalar tensor. Further integers, such as a stream and a counter.

    Returns:
        An int32 tensor of shape (2,), as TensorFlow's stateless functions and TFP take it.
    """
    folded = tf.constant([seed, 0], tf.int32)
    for item in data:
        folded = tf.random.experimental.stateless_fold_in(folded, tf.cast(item, tf.int32))
    return folded


def fresh_seed() -> int:
    """Draws a new seed from the operating system."""
    return secrets.randbelow(2**31 - 1)
