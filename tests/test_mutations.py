"""The table of faults that `make mutations` puts in, apart from running them."""

from pathlib import Path

import pytest
from mutations.run import load

ROOT = Path(__file__).parents[1]
MUTATIONS = load()
KINDS = {"sign", "factor", "axis", "swap", "off by one", "reduction", "stop_gradient"}


def test_mutations_have_their_own_names_and_are_of_every_kind():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 46
    assert {mutation.kind for mutation in MUTATIONS} == KINDS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutations_fit_the_code_and_the_tests(mutation):
    assert mutation.stale() == ""
    assert mutation.old != mutation.new
    assert mutation.tests
    for test in mutation.tests:
        file, name = test.partition("[")[0].split("::")
        assert f"\ndef {name}(" in (ROOT / file).read_text(), f"there is no test {test}"
