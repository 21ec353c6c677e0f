"""Exports a pretrained InfoGAN to TFLite and runs the file in a process without TensorFlow.

    python examples/export.py

Prints how far each signature is from Keras, then what the process without TensorFlow says. Draws 64
images of one category, made there, into runs/examples/export/category_3.png.
"""

import subprocess
import sys

import keras_infomodels as ki

FILE = "runs/examples/export/infogan.tflite"

model = ki.from_preset("infogan_mnist")
ki.export.to_tflite(model, FILE, quantize="float16", preset="infogan_mnist")
print(ki.export.check_parity(model, FILE))

WITHOUT_TENSORFLOW = f"""
import sys
from keras_infomodels.export.runtime import Runtime

runtime = Runtime({FILE!r})
images = runtime.generate(64, digit=3, seed=0)
codes = runtime.infer_codes(images)
right = (codes["digit_probabilities"].argmax(axis=1) == 3).sum()
print(f"{{right}} of {{len(images)}} images have the category they were made with")
print("TensorFlow is loaded:", "tensorflow" in sys.modules)
"""
subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW], check=True)

# The same from the shell: infomodels run loads no TensorFlow either.
run = [sys.executable, "-m", "keras_infomodels", "run", FILE, "--code", "digit=3", "--n", "64"]
subprocess.run([*run, "--out", "runs/examples/export/category_3.png"], check=True)
