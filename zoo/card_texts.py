"""Licenses of data sets, for cards."""

__all__ = ["DATA"]

_MNIST = "MNIST, by Y. LeCun and C. Cortes, is under CC BY-SA 3.0"
_FASHION = "Fashion-MNIST, (c) 2017 Zalando SE, is under the MIT licence"
DATA = {
    "mnist": f"{_MNIST}. No image of it is among these files but those in the pictures.",
    "binarized_mnist": f"The binarized images state no licence of their own. {_MNIST}.",
    "fashion_mnist": f"{_FASHION}. No image of it is among these files but those in the pictures.",
    "nouns": "The figures are composed of parts drawn by nounders for Nouns DAO (nouns.wtf), who "
    "gave them to the public domain (CC0 1.0). `infomodels prepare nouns` gets the parts.",
    "scenes": "The scenes are drawn by this library, Apache-2.0, with the factors of 3D Shapes "
    "(Burgess and Kim, 2018), no image of which was used.",
    "sprites": "The sprites are drawn by this library, Apache-2.0, with the factors of dSprites "
    "(Matthey et al., 2017), no image of which was used.",
    "clothing_64": "The photographs are those of clothing-dataset-small by Alexey Grigorev "
    "(github.com/alexeygrigorev/clothing-dataset-small), CC0 1.0, cut to squares and reduced to "
    "64x64: a folder `clothing_64` with `train`, `validation` and `test`.",
    "sign_digits_64": "The photographs are those of the Sign Language Digits Dataset by Arda Mavi "
    "(github.com/ardamavi/Sign-Language-Digits-Dataset), Apache-2.0, reduced to 64x64: a folder "
    "`sign_digits_64` with a folder for each digit. The same hands appear several times, so that "
    "the splits are blocks of file names.",
    "fashion_mnist_mini": f"The images are a part of Fashion-MNIST. {_FASHION}.",
}
"""Licenses by data set."""
