"""Pictures that every generative model has, as arrays."""

from keras_infomodels.pictures import Grid

__all__ = ["samples"]


def samples(model, n: int = 64, seed: int = 0) -> Grid:
    """Images that the model draws from its prior."""
    return Grid(model.generate(n, seed=seed).numpy(), 8, "Samples: z drawn from the prior")
