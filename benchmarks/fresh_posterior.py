"""I(c; x) of trained generators, by a Q that is trained anew on each: held out, in nats.

    python benchmarks/fresh_posterior.py runs/infogan_mnist/seed_* [--steps 2000] [--out FILE.json]

`evaluation.fit_posterior` on each model in turn; a finished one is not read again. A generator
trained with information_weight 0 may reach ln K too: it is deterministic, so its true I(c; x) is
H(c) whatever it was trained for, and a fresh Q looks for what there is.
"""

import argparse
import json
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="presets or folders of InfoGANs")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("runs/fresh_posterior.json"))
    arguments = parser.parse_args()

    from keras_infomodels import load_model
    from keras_infomodels.evaluation import fit_posterior

    rows = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for source in arguments.models:
        key = f"{source}, {arguments.steps} steps"
        if key not in rows:
            model = load_model(source)
            found = fit_posterior(model.generator, model.latents, steps=arguments.steps, verbose=2)
            rows[key] = {name: vars(estimate) for name, estimate in found.items()}
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
        for name, estimate in rows[key].items():
            print(
                f"{source} {name}: {estimate['nats']:.4f} ± {estimate['standard_error']:.4f} nats "
                f"({estimate['kind']}, ceiling {estimate['ceiling']:.4f})"
            )


if __name__ == "__main__":
    main()
