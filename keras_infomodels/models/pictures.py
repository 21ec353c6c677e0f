"""Pictures of every generative model, as arrays."""

from keras_infomodels.pictures import Grid

__all__ = ["samples"]


def samples(model, n: int = 64, seed: int = 0) -> Grid:
    """Draws images from the model's prior.

    Args:
        model: a generative model.
        n: int. Number of images.
        seed: int. Seed of the draws.
    """
    return Grid(model.generate(n, seed=seed).numpy(), 8, "Samples: z drawn from the prior")
