"""The words of the cards that are the same for every preset of a kind. No figure is among them."""

__all__ = ["CITATIONS", "DATA", "LIMITS", "TITLES", "USES"]

TITLES = {
    "vae": "VAE",
    "beta_vae": "beta-VAE",
    "infovae": "InfoVAE",
    "mmd_vae": "MMD-VAE",
    "dip_vae": "DIP-VAE",
    "aae": "Adversarial autoencoder",
    "gan": "GAN",
    "infogan": "InfoGAN",
    "classifier": "Classifier",
}
"""By a recipe's model."""

_GENERATE = "images = model.generate(8, seed=0)  # in [0, 1]"
USES = {
    "vae": f"{_GENERATE}\nz = model.encode(images).mean()",
    "deterministic": f"{_GENERATE}\nz = model.encode(images).mean()",
    "category": f"{_GENERATE}\ncategory = model.encode(images)['category'].mode()",
    "gan": _GENERATE,
    "infogan": 'images = model.generate(8, codes={{"{category}": 0}}, seed=0)  # in [0, 1]\n'
    'category = model.infer_codes(images)["{category}"].mode()',
    "classifier": "probabilities = model(images)  # of images in [0, 1], a batch\n"
    "features = model.features(images)",
}
"""Lines of Python by kind: a model, or for the VAE family what its encoder gives."""

_FOR = (
    "For research and teaching with small images like those of the training set. Images of another "
    "kind, size or contrast go through without a warning, and what comes out then means nothing. "
    "Not for decisions about anybody."
)
_SMOOTH = (
    "Pixels are independent given z, so that reconstructions are smoother than images are, and "
    "samples are not always convincing."
)
_VARIETY = (
    "Figures of samples, where there are any above, see means, covariances and classes of a small "
    "classifier: rare kinds of images may be missing all the same, and training images may be near "
    "to what it draws."
)
LIMITS = {
    "vae": f"{_FOR} {_SMOOTH} {_VARIETY} The NLL is of the stated observation model and stands "
    "beside those of the same one alone. Mutual information that is high does not make a latent "
    "variable mean anything by itself.",
    "deterministic": f"{_FOR} {_SMOOTH} {_VARIETY} A code is a point and not a distribution: the "
    "model has no likelihood, its mutual information is that of a table of examples, and nothing "
    "says how sure a code is.",
    "category": f"{_FOR} {_SMOOTH} {_VARIETY} z may carry the kind too: with the category fixed "
    "other kinds can be drawn. The category is a guess, with a probability that is not "
    "calibrated. Training assumed kinds of about equal frequency, and that an image that is moved "
    "a little is of the same kind. Categories without labels have no order and no names: another "
    "seed finds others.",
    "gan": f"{_FOR} {_VARIETY} There is no encoder and no likelihood.",
    "infogan": f"{_FOR} The information is what the model's own Q reads from generated images; on "
    "real ones Q may be wrong and sure of it. What a code does is found by looking, holds for "
    "these weights alone, and is seldom one thing; away from the middle of its range images get "
    f"worse. {_VARIETY}",
    "classifier": f"{_FOR} It is here to look at the other models of this library with, by its "
    "features and by the classes that it finds among their images; generated images may be unlike "
    "any that it was trained on, and it is sure of a class there too. Its probabilities are not "
    "calibrated.",
}
"""By the same kinds."""

_MNIST = "MNIST, by Y. LeCun and C. Cortes, is under CC BY-SA 3.0"
_FASHION = "Fashion-MNIST, (c) 2017 Zalando SE, is under the MIT licence"
DATA = {
    "mnist": f"{_MNIST}. No image of it is among these files but those in the pictures.",
    "binarized_mnist": f"The binarized images state no licence of their own. {_MNIST}.",
    "fashion_mnist": f"{_FASHION}. No image of it is among these files but those in the pictures.",
    "fashion_mnist_mini": f"The images are a part of Fashion-MNIST. {_FASHION}.",
}
"""Licences by data set."""

CITATIONS = {
    "vae": "D. P. Kingma and M. Welling, Auto-encoding variational Bayes, 2013, "
    "https://arxiv.org/abs/1312.6114",
    "beta_vae": "I. Higgins et al., beta-VAE: learning basic visual concepts with a constrained "
    "variational framework, 2017, https://openreview.net/forum?id=Sy2fzU9gl",
    "infovae": "S. Zhao, J. Song and S. Ermon, InfoVAE: information maximizing variational "
    "autoencoders, 2017, https://arxiv.org/abs/1706.02262",
    "dip_vae": "A. Kumar, P. Sattigeri and A. Balakrishnan, Variational inference of disentangled "
    "latent concepts from unlabeled observations, 2018, https://arxiv.org/abs/1711.00848",
    "aae": "A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow and B. Frey, Adversarial "
    "autoencoders, 2015, https://arxiv.org/abs/1511.05644",
    "gan": "I. Goodfellow et al., Generative adversarial nets, 2014, "
    "https://arxiv.org/abs/1406.2661",
    "infogan": "X. Chen, Y. Duan, R. Houthooft, J. Schulman, I. Sutskever and P. Abbeel, InfoGAN: "
    "interpretable representation learning by information maximizing generative adversarial nets, "
    "2016, https://arxiv.org/abs/1606.03657",
}
CITATIONS["mmd_vae"] = CITATIONS["infovae"]
"""By a recipe's model."""
