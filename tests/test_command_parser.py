import pytest

from keras_infomodels import cli

WRONG = {
    "trian vae": "argument COMMAND: there is no 'trian'; did you mean 'train'?",
    "dance": "argument COMMAND: there is no 'dance'; there are: ",
    "train vae --lerning-rate 1": "no flag --lerning-rate; did you mean '--learning-rate'?",
    "train vae --epocs=3": "there is no flag --epocs; did you mean '--epochs'?",
    "train vae --image-size 32x": "height and width such as 64x48; got '32x'",
    "train vae --image-size 1x2x3": "height and width such as 64x48; got '1x2x3'",
    "train vae --widths 32,a": "whole numbers with commas, such as 256,128; got '32,a'",
    "run a.tflite generate": "no place for 'generate'; a signature is named by --signature NAME",
    "export a --to tflit": "argument --to: there is no 'tflit'; did you mean 'tflite'?",
    "export a --to tflite --quantize int-8": "there is no 'int-8'; did you mean 'int8'?",
}


@pytest.mark.parametrize("line", WRONG)
def test_parser_suggests_what_is_meant(line, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(line.split())
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert WRONG[line] in said
    assert len(said.splitlines()) == 2  # not the usage, of dozens of lines
    assert "--help` lists the arguments" in said


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("train mmdvae --dataset mnist_mini", "mmd_vae"),
        ("train vae --dataset mnist_mini --likelihood bernuoli", "bernoulli"),
        ("train vae --dataset mnist_mini --network mpl", "mlp"),
        ("train vae --dataset mnist_mini --schedule cosin", "cosine"),
        ("train vae --dataset mnist_mini --prior gausian_mixture", "gaussian_mixture"),
        ("train mmd_vae --dataset mnist_mini --kernel gausian", "gaussian"),
        ("train vae --dataset mnist_mini --set training.epoch=3", "epochs"),
        ("train vae --dataset mnist_mini --set model.encoder.width=3", "widths"),
        ("train vae --dataset scnes", "scenes"),
        ("prepare mnst", "mnist"),
        ("download infogan_mnst", "infogan_mnist"),
        ("show infogan_mnst", "infogan_mnist"),
    ],
)
def test_names_are_guessed_in_the_command(line, meant, capsys):
    assert cli.main(line.split()) == 1
    assert f"id you mean '{meant}'?" in capsys.readouterr().err
