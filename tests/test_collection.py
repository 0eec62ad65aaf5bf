"""Tests that the README's command collects every test file, and that the table's tests cover every entry."""

import ast
import re
import runpy
from collections import defaultdict

import pytest
from conftest import ROOT, python

from autograd.table import TABLE

OVER_THE_TABLE = {
    "test_against_others.py": ["test_a_local_derivative_that_is_off_by_1e_9_differs_from_pytorch"],
    "test_expression.py": ["test_every_function_of_the_table_can_be_called"],
    "test_higher.py": [
        "test_second_derivatives_are_the_slopes_of_the_local_derivatives",
        "test_forward_mode_agrees_with_backward_on_the_whole_table",
    ],
    "test_javascript.py": ["test_value_and_local_derivatives_equal_the_engine"],
    "test_kinks.py": ["test_a_kink_is_where_the_two_sides_differ"],
    "test_primitives.py": [
        "test_local_derivatives_are_the_slopes",
        "test_number_systems_agree",
        "test_symbols_differentiate_to_the_local_derivatives",
        "test_values_and_derivatives_equal_pytorch",
    ],
    "test_replay.py": ["test_every_primitive_alone_and_in_a_group"],
    "test_special_values.py": ["test_eager", "test_replayed", "test_differentiated_again"],
}


@pytest.fixture(scope="module")
def collected():
    """What the README's command collects: for each file its tests, and for each test the names in its parameters.

    The slow tests are included: CI runs them by the same command with ``-m slow``.
    """
    assert "python3 run.py test" in (ROOT / "README.md").read_text(encoding="utf-8")
    options = runpy.run_path(str(ROOT / "run.py"))["SHARED"]
    done = python("-m", "pytest", *options, "-n0", "-m", "", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-2000:]
    found = defaultdict(lambda: defaultdict(set))
    for path, test, parameters in re.findall(r"^(\S+?)::([^[\n]+)(?:\[(.*)\])?$", done.stdout, re.MULTILINE):
        found[path][test] |= set(re.split(r"[-\[\]]", parameters))
    return found


@pytest.mark.slow
def test_every_test_file_is_collected(collected):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(files) > 40 and files <= set(collected)


@pytest.mark.slow
def test_every_doctest_is_collected(collected):
    sources = [path for package in ("autograd", "nn") for path in (ROOT / package).rglob("*.py")]
    with_examples = [path for path in sources if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.M)]
    assert {"README.md", *(path.relative_to(ROOT).as_posix() for path in with_examples)} <= set(collected)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "test"), [(file, test) for file, tests in OVER_THE_TABLE.items() for test in tests])
def test_every_entry_of_the_table_is_exercised(collected, file, test):
    assert set(TABLE) <= collected[f"tests/{file}"][test]


def test_every_explained_survivor_is_a_line_of_its_module():
    explained = (ROOT / "tests/mutation-survivors.txt").read_text(encoding="utf-8")
    survivors = re.findall(r"^([\w.]+): (.*?) → ", explained, re.M)
    assert len(survivors) > 40
    for module in {module for module, _ in survivors}:
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
        lines = {line.strip() for line in ast.unparse(ast.parse(source)).splitlines()}
        assert not {line for name, line in survivors if name == module} - lines, module
