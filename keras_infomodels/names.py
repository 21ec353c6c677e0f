"""Names of the models, and the known name that a wrong one is meant for. No TensorFlow."""

import difflib
from collections.abc import Iterable

__all__ = ["MODELS", "guess", "nearest"]

MODELS = {
    "vae": "VAE",
    "beta_vae": "BetaVAE",
    "infovae": "InfoVAE",
    "mmd_vae": "MMDVAE",
    "dip_vae": "DIPVAE",
    "annealed_vae": "AnnealedVAE",
    "qlae": "QLAE",
    "aae": "AdversarialAutoencoder",
    "gan": "GAN",
    "infogan": "InfoGAN",
    "infogan_cr": "InfoGANCR",
    "classifier": "Classifier",
}
"""Name in the command -> class, in the order in which help lists them."""

_SHOWN = 12
"""Number of names that an error lists."""


def guess(name: object, known: Iterable[str]) -> str:
    """Returns the second sentence of an error: " Did you mean 'scenes'?", or "" if none is near.

    Args:
        name: object. What was given; case, hyphens and underscores do not count.
        known: iterable of str. Names that are allowed, the preferred ones first.
    """
    forms = {_form(each): each for each in reversed(list(known))}
    close = difflib.get_close_matches(_form(str(name)[:100]), list(forms)[::-1], 1, 0.66)
    return f" Did you mean {forms[close[0]]!r}?" if close else ""


def nearest(name: object, known: Iterable[str]) -> str:
    """Returns the end of an error: the known name that is meant, or a short list of them.

    Args:
        name: object. What was given.
        known: iterable of str. Names that are allowed.
    """
    known = sorted(known)
    if found := guess(name, known):
        return found.replace(" Did", "did")
    rest = f", ... ({len(known)} in all)" if len(known) > _SHOWN else "."
    return f"there are: {', '.join(known[:_SHOWN])}{rest}"


def _form(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in "_- ")
