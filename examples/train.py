"""Trains an InfoVAE on the small part of Fashion-MNIST inside the package.

    python examples/train.py

Prints the terms of the loss epoch by epoch, in nats per example, and I_q(x;z) of test images. Draws
test images with their reconstructions, and samples. All is left in runs/examples/infovae, which
fine_tune.py goes on with.
"""

import keras

import keras_infomodels as ki

OUT = "runs/examples/infovae"

train = ki.datasets.load("fashion_mnist_mini", "train", batch_size=64)
test = ki.datasets.load("fashion_mnist_mini", "test")

model = ki.InfoVAE(
    encoder=ki.networks.MLPEncoder(image_shape=(28, 28, 1), latent_dim=10),
    decoder=ki.networks.MLPDecoder(image_shape=(28, 28, 1), latent_dim=10),
    likelihood="bernoulli_stochastic",
    alpha=0.5,  # half of the VAE's penalty on I_q(x;z)
    lambda_=1000.0,  # what holds q(z) to the prior in its place: the MMD
)
model.compile(keras.optimizers.Adam(1e-3))
model.fit(train, validation_data=test, epochs=20, verbose=2)
print(f"I_q(x;z) = {model.mutual_information(test)}")

model.save_to_preset(OUT)
images = next(iter(test))
for name, figure in {
    "reconstructions": ki.plots.reconstructions(model, images),
    "samples": ki.plots.samples(model),
}.items():
    print(ki.plots.save(figure, f"{OUT}/{name}.png"))
