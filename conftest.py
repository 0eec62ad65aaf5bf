"""What the examples in docstrings have at hand: ``Value``, as after ``from autograd import Value``."""

from typing import Any

import pytest

from autograd import Value


@pytest.fixture(scope="session", autouse=True)
def value_in_examples(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["Value"] = Value
