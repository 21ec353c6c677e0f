"""The library in double precision: its sources with float64 wherever they say float32.

Last layers, terms and draws of the library are float32 under every dtype policy, and encoders of
float64 are refused, so that its own results agree to float32 at best. What is computed is the same
here, and the rounding is smaller. Other random bits are drawn.

`enter` comes before the first import of the library.
"""

import functools
import importlib.machinery
import importlib.util
import sys

import keras
import numpy as np
import tensorflow as tf

LIBRARY = "keras_infomodels"
DRAWS = ("stateless_uniform", "stateless_normal")


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):  # the cached bytecode is that of the library itself
        source = self.get_data(self.path)
        # The type of this name is refused, because the library's own is the other.
        source = source.replace(b'"float64"', b'"float16"').replace(b"float32", b"float64")
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != LIBRARY:
            return None
        others = (each.find_spec(name, path, target) for each in sys.meta_path if each is not self)
        spec = next((each for each in others if each is not None), None)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(name, spec.origin)
        return spec


def enter():
    """Makes every later import of the library one of float64, in this process."""
    assert LIBRARY not in sys.modules
    sys.meta_path.insert(0, _Finder())
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    for name in ("zeros", "ones", "eye"):
        setattr(tf, name, functools.partial(_defaulting, getattr(tf, name)))
    for name in DRAWS:
        setattr(tf.random, name, functools.partial(_defaulting, getattr(tf.random, name)))
    tf.one_hot = functools.partial(_one_hot, tf.one_hot)
    tf.fill = functools.partial(_of_floats, tf.fill)
    tf.where = functools.partial(_of_floats, tf.where)
    tf.math.log = functools.partial(_of_floats, tf.math.log)
    tf.constant = functools.partial(_constant, tf.constant)


def _defaulting(function, *arguments, **settings):
    """Calls a function whose dtype is float32 where none is given."""
    given = "dtype" in settings or any(isinstance(a, tf.DType) for a in arguments)
    return (
        function(*arguments, **settings)
        if given
        else function(*arguments, **settings, dtype=tf.float64)
    )


def _one_hot(function, *arguments, **settings):
    if "on_value" not in settings:
        settings.setdefault("dtype", tf.float64)
    return function(*arguments, **settings)


def _of_floats(function, *arguments):
    """Calls a function that takes the numbers of Python for float32."""
    return function(*[np.float64(a) if isinstance(a, float) else a for a in arguments])


def _constant(function, value, dtype=None, *arguments, **settings):
    if dtype is None and not isinstance(value, tf.Tensor) and np.asarray(value).dtype == float:
        dtype = tf.float64
    return function(value, dtype, *arguments, **settings)
