"""The page of the lab in Chromium: what a touch shows, time and back, keys alone, and a page that never complains."""

import json
import re
from math import isclose
from random import Random

import pytest
from conftest import serious

from autograd import Value
from nn import MLP, SGD, Dataset, Situation, binary_cross_entropy, half_squared_error, lab
from nn.data import moons, sine
from nn.losses import mean_loss

NUMBER = r"−?\d+(?:\.\d+)?(?:·10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)?"


def moons_lab(rate=0.5, n=30, **options):
    """A page, and what Python makes of the same."""
    model = MLP(2, [4, 3, 1], activation="tanh", rng=Random(0))
    data, optimizer = moons(n, rng=Random(1)), SGD(model.parameters(), rate)
    options = {"title": "Moons", "question": "Which way is back?"} | options
    return lab(model, data, binary_cross_entropy, optimizer, rng=2, **options), model, data, optimizer


def eager_step(model, data, optimizer):
    """Takes a full-batch step; returns the loss before it and the gradients."""
    loss = mean_loss(binary_cross_entropy, model.batch(data.X), data.y)
    optimizer.zero_grad()
    loss.backward()
    gradients = [p.grad for p in optimizer.parameters]
    optimizer.step()
    return loss.data, gradients


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def line(page):
    """The line of mathematics as text, and the words below it."""
    page.wait_for_function("lab.next === lab.drawn")
    return page.locator(".line").inner_text().replace("\n", ""), page.locator(".line small").inner_text()


def status(page):
    page.wait_for_function("lab.next === lab.drawn")
    return page.locator(".top .plain").inner_text()


def read(text):
    """The numbers in a text."""
    powers = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    found = re.findall(NUMBER, text)
    return [float(re.sub("·10(.*)", lambda m: "e" + m[1].translate(powers), x).replace("−", "-")) for x in found]


@pytest.fixture
def opened(visit, tmp_path):
    """Opens a lab's page."""

    def open_page(made, *arguments, **options):
        return visit(made.save(tmp_path / "lab.html"), *arguments, **options)

    return open_page
