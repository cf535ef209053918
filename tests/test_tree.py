"""The last test of a run."""

from conftest import tree


def test_the_run_left_the_tree_as_it_was(tree_before):
    assert tree() == tree_before
