"""Commands that prepare data sets: download them, and write them as shards."""

import argparse

from keras_infomodels.command_parser import parse_image_size

__all__ = ["add_parsers"]


def add_parsers(commands):
    """Adds the commands to the subparsers of `infomodels`."""
    prepare = commands.add_parser("prepare", help="download and prepare a data set")
    prepare.add_argument("dataset", help="name in TensorFlow Datasets, or nouns")
    prepare.add_argument("--data-dir", help="folder of the data (default: TFDS's own directory)")
    prepare.set_defaults(run=_prepare)

    shard = commands.add_parser(
        "shard", help="write a data set as TFRecord files for training on several machines"
    )
    shard.add_argument("dataset", help="data set, as for train")
    shard.add_argument("--out", required=True, help="folder to create; pass it to train --dataset")
    shard.add_argument(
        "--files", type=int, default=16, help="number of files of each split (default: 16)"
    )
    shard.add_argument("--data-dir", help="folder of the data, as for train")
    shard.add_argument(
        "--image-size", type=parse_image_size, help="size to resize images to: 64 or 64x48"
    )
    shard.add_argument(
        "--fit",
        choices=("crop", "pad", "stretch"),
        default="crop",
        help="treatment of images with another aspect ratio (default: crop)",
    )
    shard.add_argument("--skip-broken", action="store_true", help="skip images that cannot be read")
    shard.set_defaults(run=_shard)


def _prepare(arguments: argparse.Namespace):
    from keras_infomodels.datasets import prepare

    print(f"{arguments.dataset} is in {prepare(arguments.dataset, arguments.data_dir)}.")


def _shard(arguments: argparse.Namespace):
    from keras_infomodels.datasets.loading import find
    from keras_infomodels.datasets.shard_source import write_shards
    from keras_infomodels.datasets.source import Options
    from keras_infomodels.spec import check_int

    names = ("data_dir", "image_size", "fit", "skip_broken")
    options = Options(**{name: getattr(arguments, name) for name in names})
    files = check_int("files", arguments.files, 1)
    sizes = write_shards(find(arguments.dataset, options), arguments.out, files)
    counts = ", ".join(f"{part} {count}" for part, count in sizes.items())
    print(f"The shards are in {arguments.out}: {counts}.")
