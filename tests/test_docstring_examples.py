"""Every `Example:` of a public name runs as it stands."""

import doctest
import inspect
import pathlib
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import keras_infomodels as ki

SLOW = {
    "evaluation.fit_posterior",
    "evaluation.select_runs",
    "export.Runtime",
    "export.to_tflite",
    "InfoGAN.traverse",
    "InfoVAE.decode",
    "InfoVAE.mutual_information",
    "callbacks.AtomicBackup",
    "callbacks.FollowEpoch",
    "callbacks.StopOnNonFinite",
    "callbacks.StopOnSaturation",
    "callbacks.WeightAverage",
    "evaluation.disentanglement.DisentanglementReport",
    "evaluation.disentanglement.report",
    "evaluation.audit",
    "export.Parity",
    "export.Report",
    "export.check_parity",
    "export.to_saved_model",
    "evaluation.information_plane",
    "models.AdversarialAutoencoder",
    "models.BetaVAE",
    "models.Classifier",
    "models.GAN",
    "models.InfoModel",
    "models.InfoModel.compile",
    "models.InfoModel.evaluate",
    "models.InfoModel.fit",
    "models.InfoVAE",
    "models.VAE",
}
"""Examples that take more than a second or two; each kind of them is in `make test` once."""


def public():
    """Dotted names of the public names, with their objects; each object once."""
    found, todo = {}, [(name, getattr(ki, name)) for name in ki.__all__]
    todo.append(("information.bounds", ki.information.bounds))
    for name, value in todo:
        if inspect.ismodule(value):
            todo += [(f"{name}.{own}", getattr(value, own)) for own in value.__all__]
        elif inspect.isclass(value) or inspect.isfunction(value):
            found[value] = max(name, found.get(value, name), key=len)
            if inspect.isclass(value):
                for own, member in vars(value).items():
                    function = getattr(member, "__func__", member)
                    if own[0] != "_" and inspect.isfunction(function):
                        found.setdefault(function, f"{found[value]}.{own}")
    return {name: value for value, name in sorted(found.items(), key=lambda item: item[1])}


def example(value) -> str:
    """The code below `Example:`, up to the next line that is not indented."""
    _, _, rest = inspect.cleandoc(value.__doc__ or "").partition("Example:\n")
    lines = []
    for line in rest.splitlines():
        if line and line[0] != " ":
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)).strip()


EXAMPLES = {name: code for name, value in public().items() if (code := example(value))}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in EXAMPLES],
)
def test_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ki.registry, "_registered", {})
    names = {"ki": ki, "keras": keras, "np": np, "tf": tf, "tfp": tfp, "pathlib": pathlib}
    if EXAMPLES[name].startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(EXAMPLES[name], names, name, None, 0)
        assert not doctest.DocTestRunner().run(test).failed
    else:
        exec(compile(EXAMPLES[name], f"Example of {name}", "exec"), names)


def test_every_public_class_has_an_example():
    classes = {
        name
        for name, value in public().items()
        if inspect.isclass(value) and not issubclass(value, Exception)
    }
    assert classes - set(EXAMPLES) == set()
    assert set(EXAMPLES) >= SLOW
