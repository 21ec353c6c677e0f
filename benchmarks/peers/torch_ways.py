"""The same training with PyTorch, as its examples write it, and with pythae.

Networks have the layers of `tensorflow_ways.networks` and as many parameters.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

BATCHES = {"vae": 128, "mmd_vae": 128, "aae": 100}
LATENT_DIM, MMD_WEIGHT = 10, 1000.0
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def data(count: int) -> torch.Tensor:
    images = np.random.default_rng(0).integers(0, 2, (count, 784)).astype(np.float32)
    return torch.from_numpy(images)


def body(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU())


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = body(784), body(LATENT_DIM)
        self.loc, self.scale = nn.Linear(256, LATENT_DIM), nn.Linear(256, LATENT_DIM)
        self.logits = nn.Linear(256, 784)

    def forward(self, x):
        h = self.encoder(x)
        loc, scale = self.loc(h), functional.softplus(self.scale(h)) + 0.01
        z = loc + scale * torch.randn_like(scale)
        logits = self.logits(self.decoder(z))
        losses = functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
        return loc, scale, z, losses.sum(1).mean()


def gram(x, y):
    squared = torch.cdist(x, y) ** 2
    scales = [2 * LATENT_DIM * scale for scale in SCALES]
    return sum((c / (c + squared)).sum() for c in scales) / len(scales)


def mmd(z):
    draws, n = torch.randn_like(z), len(z)
    within = (gram(z, z) + gram(draws, draws) - 2 * n) / (n * (n - 1))
    return within - 2 * gram(z, draws) / n**2


def pytorch(kind: str, steps: int):
    """A function that makes an epoch of so many steps."""
    model, batch = Autoencoder(), BATCHES[kind]
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loader = DataLoader(TensorDataset(data(batch * steps)), batch, shuffle=True)
    discriminator = nn.Sequential(
        *(nn.Linear(LATENT_DIM, 128), nn.LeakyReLU(0.2)),
        *(nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)),
    )
    judging = torch.optim.Adam(discriminator.parameters(), 1e-3, (0.5, 0.999))

    def epoch():
        for (x,) in loader:
            loc, scale, z, loss = model(x)
            if kind == "vae":
                kl = 0.5 * (loc**2 + scale**2 - 1 - 2 * scale.log())
                loss = loss + kl.sum(1).mean()
            elif kind == "mmd_vae":
                loss = loss + MMD_WEIGHT * mmd(z)
            else:
                loss = loss + functional.softplus(-discriminator(z)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if kind == "aae":
                real, fake = discriminator(torch.randn_like(z)), discriminator(z.detach())
                own = functional.softplus(-real).mean() + functional.softplus(fake).mean()
                judging.zero_grad()
                own.backward()
                judging.step()

    return epoch


def pythae(kind: str, steps: int):
    """pythae's own trainer on its own networks; its defaults, with the layers above."""
    import tempfile

    from pythae.data.datasets import BaseDataset
    from pythae.models import (
        VAE,
        WAE_MMD,
        Adversarial_AE,
        Adversarial_AE_Config,
        VAEConfig,
        WAE_MMD_Config,
    )
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import (
        AdversarialTrainer,
        AdversarialTrainerConfig,
        BaseTrainer,
        BaseTrainerConfig,
    )

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.body = body(784)
            self.loc, self.log_variance = nn.Linear(256, LATENT_DIM), nn.Linear(256, LATENT_DIM)

        def forward(self, x):
            h = self.body(x.reshape(len(x), -1))
            return ModelOutput(embedding=self.loc(h), log_covariance=self.log_variance(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.body, self.logits = body(LATENT_DIM), nn.Linear(256, 784)

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.logits(self.body(z))))

    shape = {"input_dim": (784,), "latent_dim": LATENT_DIM}
    models = {
        "vae": (VAE, VAEConfig(**shape, reconstruction_loss="bce")),
        "mmd_vae": (WAE_MMD, WAE_MMD_Config(**shape, kernel_choice="imq")),
        "aae": (Adversarial_AE, Adversarial_AE_Config(**shape)),
    }
    cls, config = models[kind]
    model = cls(config, encoder=Encoder(), decoder=Decoder())
    settings = {"per_device_train_batch_size": BATCHES[kind], "num_epochs": 1}
    settings |= {"output_dir": tempfile.mkdtemp(), "no_cuda": True}
    images = data(BATCHES[kind] * steps)
    dataset = BaseDataset(images, torch.zeros(len(images)))
    trainer, config = (
        (AdversarialTrainer, AdversarialTrainerConfig)
        if kind == "aae"
        else (BaseTrainer, BaseTrainerConfig)
    )
    own = trainer(model, dataset, training_config=config(**settings))
    own.prepare_training()
    own.callback_handler.callbacks = []
    return lambda: own.train_step(1)


WAYS = {"pytorch": pytorch, "pythae": pythae}


def trainer(kind: str, way: str, steps: int, epochs: int):
    """A function that trains for so many epochs of so many steps."""
    if kind not in BATCHES:
        raise ImportError(f"{way} has no row of {kind}", name=way)
    epoch = WAYS[way](kind, steps)
    return lambda: [epoch() for _ in range(epochs)]
