"""SavedModels from strangers: what their graphs may hold."""

import pytest
import tensorflow as tf

from keras_infomodels import cli, evaluation
from keras_infomodels.export import Runtime
from keras_infomodels.operators import check_operators

TEXT, NUMBER = tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.float32)


def write(folder, function, spec):
    """A SavedModel whose function is called by another one and in a branch."""
    module = tf.Module()
    module.weight = tf.Variable(1.0)

    @tf.function(input_signature=[spec])
    def called(x):
        return tf.cond(module.weight > 0, lambda: function(x), lambda: x)

    @tf.function(input_signature=[spec])
    def encode(x):
        return {"loc": called(x)}

    module.encode = encode
    tf.saved_model.save(module, str(folder), signatures={"encode": encode})
    return folder


def printed(x):
    tf.print(x, output_stream="file:///dev/null")
    return x


FOREIGN = {
    "ReadFile": (tf.io.read_file, TEXT),
    "PyFunc": (lambda x: tf.numpy_function(lambda v: v, [x], tf.float32), NUMBER),
    "MatchingFiles": (lambda x: tf.io.matching_files(x)[0], TEXT),
    "PrintV2": (printed, NUMBER),
    "RestoreV2": (
        lambda x: tf.raw_ops.RestoreV2(
            prefix=x, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.string]
        )[0],
        TEXT,
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_check_operators_refuses_files_and_python(tmp_path, name):
    folder = write(tmp_path / "model", *FOREIGN[name])
    with pytest.raises(ValueError, match=rf"holds the operators .*{name}.*--trust"):
        check_operators(folder)
    with pytest.raises(ValueError, match=name):
        evaluation.audit(str(folder), [1.0] * 8)


def test_check_operators_lets_what_computes_alone_pass(tmp_path, exports):
    """Variables, branches, random numbers, and the functions that restore variables."""
    check_operators(write(tmp_path / "model", lambda x: x * tf.random.normal(()), NUMBER))
    check_operators(exports.saved_model("infogan"))


def test_runtime_and_run_refuse_foreign_operators_unless_trusted(tmp_path, capsys, exports):
    folder = write(tmp_path / "model", *FOREIGN["ReadFile"])
    extra = exports.saved_model("infogan") / "assets.extra"
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "metadata.json").write_bytes((extra / "metadata.json").read_bytes())
    with pytest.raises(ValueError, match="ReadFile"):
        Runtime(folder)
    assert Runtime(folder, trust=True).metadata["model"] == "InfoGAN"
    assert cli.main(["run", str(folder)]) == 1
    assert "ReadFile" in capsys.readouterr().err
    assert cli.main(["run", str(folder), "--trust"]) == 0


def test_runtime_isolated_is_not_for_saved_models(exports):
    with pytest.raises(ValueError, match="leave isolated out"):
        Runtime(exports.saved_model("infogan"), isolated=True)
