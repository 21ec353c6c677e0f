"""Imports point downwards, those inside functions included, and never in a circle."""

import graphlib
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "keras_infomodels"
LAYERS = (
    (
        "__main__",
        "cli",
        "completion_command",
        "data_commands",
        "demo",
        "disentangle_command",
        "explore_command",
        "export_commands",
        "measure_commands",
        "select_command",
        "termination",
        "train_command",
    ),
    ("zoo",),
    ("export", "callbacks"),
    (
        "evaluation",
        "keras_files",
        "plots",
        "preset_checks",
        "preset_configs",
        "preset_layers",
        "presets",
    ),
    ("models",),
    ("training",),
    ("networks", "divergences"),
    ("information", "distributions", "datasets"),
    (
        "command_parser",
        "defaults",
        "figure",
        "hooks",
        "html",
        "io",
        "log",
        "names",
        "keras_names",
        "operators",
        "optimizers",
        "pictures",
        "preset_files",
        "progress",
        "registry",
        "renames",
        "replicas",
        "seeds",
        "spec",
        "tf_data",
        "weights",
    ),
)
"""From the top; a part imports others of its layer and of those below. `callbacks` stands above
`plots` for `Pictures`, which draws; the other callbacks are in `training`."""

FORBIDDEN = (("information", "datasets"), ("plots", "models"), ("evaluation", "plots"))
"""Neighbors and layers below that a part knows nothing of all the same."""


@pytest.fixture(scope="module")
def arrows(tmp_path_factory):
    """Every (importer, imported) within the package, without its name in front."""
    folder = tmp_path_factory.mktemp("links")
    package = folder / PACKAGE
    package.mkdir()
    for path in (*(ROOT / PACKAGE).glob("[!.]*"), ROOT / "zoo", ROOT / "export"):
        if not (package / path.name).is_symlink():
            (package / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        # grimp asks where the package is, and is to find the folder of links.
        patch.delitem(sys.modules, PACKAGE, raising=False)
        patch.syspath_prepend(folder)
        graph = grimp.build_graph(PACKAGE, cache_dir=None)

    def inner(module):
        return module.removeprefix(PACKAGE).removeprefix(".")

    return {
        (inner(module), inner(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }


def layer_of(module):
    part = module.partition(".")[0]
    (index,) = [i for i, layer in enumerate(LAYERS) if part in layer]
    return index


def test_layers_every_arrow_points_downwards(arrows):
    assert len(arrows) > 300  # zoo and export are among them
    assert {"zoo", "export"} <= {importer.partition(".")[0] for importer, _ in arrows}
    upward = [
        f"{importer} -> {imported}"
        for importer, imported in sorted(arrows)
        # The package itself imports what loads nothing; its names are strings.
        if importer and imported and layer_of(importer) > layer_of(imported)
    ]
    assert upward == []


def test_layers_the_package_loads_next_to_nothing(arrows):
    loaded = {imported for importer, imported in arrows if not importer}
    assert loaded == {"hooks", "keras_names", "names"}


def test_layers_hold_no_circle(arrows):
    graph = {}
    for importer, imported in arrows:
        if imported:  # the package, whose version is asked for
            graph.setdefault(importer, set()).add(imported)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(("part", "other"), FORBIDDEN)
def test_layers_neighbors_that_do_not_know_each_other(arrows, part, other):
    found = [
        arrow
        for arrow in sorted(arrows)
        if arrow[0].partition(".")[0] == part and arrow[1].partition(".")[0] == other
    ]
    assert found == []
