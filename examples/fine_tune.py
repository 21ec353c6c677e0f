"""Fine-tunes a pretrained autoencoder of garments on images of one's own: digits.

    python examples/fine_tune.py

The digits to train on are drawn from infogan_mnist, so that nothing has to be downloaded; a hundred
real ones are held out. Prints the terms of the loss on these, in nats per example, before and
after, and once more of the model that was saved and loaded again. Draws some of them with their
reconstructions, before and after. All is left in runs/examples/fine_tuned.
"""

import keras

import keras_infomodels as ki

PRESET = "mmd_vae_fashion_mnist"  # a name of ki.list_presets(), or a folder
OUT = "runs/examples/fine_tuned"

# One's own images: an array (n, 28, 28, 1) of bytes or in [0, 1]; or a folder for datasets.load.
digits = ki.from_preset("infogan_mnist").generate(3000, seed=0).numpy()
train = ki.datasets.from_arrays(digits, batch_size=64)
held_out = ki.datasets.load("mnist_mini", "test")
examples = next(iter(held_out))


def show(title, model):
    terms = model.evaluate(held_out, return_dict=True, verbose=0)
    print(f"{title}: " + ", ".join(f"{name} {value:.3f}" for name, value in terms.items()))


model = ki.from_preset(PRESET)
model.compile(keras.optimizers.Adam(1e-3))
show("before", model)
print(ki.plots.save(ki.plots.reconstructions(model, examples), f"{OUT}/before.png"))

model.fit(train, epochs=10, verbose=2)
show("after", model)
print(ki.plots.save(ki.plots.reconstructions(model, examples), f"{OUT}/after.png"))

model.save_to_preset(f"{OUT}/preset")
again = ki.from_preset(f"{OUT}/preset")
again.compile()
show("saved and loaded again", again)
