"""Names of the models, for code that must not load TensorFlow."""

__all__ = ["MODELS"]

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
