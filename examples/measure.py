"""Measures information: of two columns, of an encoder of one's own, of an InfoGAN's category.

    python examples/measure.py

Prints an estimate beside the known answer; an audit of the encoder, each number in nats with its
kind, its ceiling and the error of the same estimator where the answer is known; and what the
category tells of a hundred real digits. Draws the audit into runs/examples/audit.png.
"""

import numpy as np
from sklearn.decomposition import PCA

import keras_infomodels as ki

# Two columns of a Gaussian with correlation 0.8.
rng = np.random.default_rng(0)
x, y = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=2000).T
print(f"I(x;y) = {ki.information.MutualInformation().fit(x, y)}")
print(f"known:   {-0.5 * np.log(1 - 0.8**2):.3f} nats\n")

# Any function from a batch to mean and deviation of q(z|x): here principal components and noise.
images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
images = images.reshape(len(images), -1) / 255
components = PCA(4, whiten=True, random_state=0).fit(images)


def encoder(batch):
    loc = components.transform(np.asarray(batch)).astype(np.float32)
    return {"loc": loc, "scale": np.full_like(loc, 0.5)}


audit = ki.evaluation.audit(encoder, images, title="four principal components and noise")
print(audit, "\n")
print(ki.plots.save(ki.evaluation.audit_picture(audit), "runs/examples/audit.png"), "\n")

# The category that a pretrained InfoGAN infers, of a hundred real digits.
model = ki.from_preset("infogan_mnist")
digits, _ = ki.datasets.load_arrays("mnist_mini", "test")
probabilities = model.infer_codes(digits / 255)["digit"].probs_parameter()
print(f"I(x;digit) = {ki.information.category_information(probabilities)}")
