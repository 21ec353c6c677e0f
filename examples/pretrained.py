"""From a pretrained InfoGAN to pictures in two lines, and the codes of real digits.

    python examples/pretrained.py

Prints the inferred category, with its probability, of five real images. Draws one column for each
category, and a hundred real images by inferred category, into runs/examples/pretrained.
"""

import keras_infomodels as ki

OUT = "runs/examples/pretrained"

model = ki.from_preset("infogan_mnist")
print(ki.plots.save(ki.plots.traverse(model, "digit"), f"{OUT}/digit.png"))

images, labels = ki.datasets.load_arrays("mnist_mini", "test")
images = images / 255
probabilities = model.infer_codes(images)["digit"].probs_parameter().numpy()
# The categories were found without labels, so their numbers are not the digits.
for label, row in zip(labels[:5], probabilities[:5], strict=True):
    print(f"label {label}: category {row.argmax()} with q = {row.max():.3f}")
print(ki.plots.save(ki.plots.inferred_categories(model, "digit", images), f"{OUT}/inferred.png"))
