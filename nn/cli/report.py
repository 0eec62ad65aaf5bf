"""What a run prints and draws: what was built, then what was learned."""

from __future__ import annotations

from pathlib import Path

from autograd.files import write_whole
from autograd.text import counted, text_name
from nn.checkpoint import load
from nn.cli.experiment import Experiment
from nn.cli.run_files import FILM, HISTORY, PICTURES, STATES, WEIGHTS
from nn.data import Split
from nn.diagnostics import constant_guess
from nn.evaluation import REGRESSION, evaluate, to_digits
from nn.plots import layers_picture, picture


def introduce(experiment: Experiment) -> None:
    """Print what was read and built."""
    schema, data = experiment.schema, experiment.data
    if "sha256" in experiment.config:
        print(f"{text_name(Path(experiment.config['data']).name)}: {schema}")
        for name in schema.counting:
            rises = f"{text_name(name)} goes up by 1 from row to row: if it only counts them, leave it out"
            print(f"{rises} (--ignore {name!r})" if name else "the first column has no name, and is left out")
    if schema.target.categories is None:
        mean, deviation = map(to_digits, data.training.units)
        scale = f"{mean} ± {deviation} in the training data; RMSE and predictions are in its own units"
        print(f"regression: the target is standardised, {scale}")
    parts = " / ".join(str(len(part.y)) for part in data)
    print(f"{title(experiment)}: {parts} examples to train, validate and test")
    for label, name in enumerate(data.training.classes):
        counts = dict(zip(("train", "validate", "test"), (part.y.count(label) for part in data)))
        if absent := " or ".join(role for role, count in counts.items() if not count):
            print(f"class {name!r} has only {counted(sum(counts.values()), 'example')}: none to {absent}")
    if experiment.preprocessing.steps:
        print(f"preprocessing: {experiment.preprocessing!r}, fitted on the training data")
    print(f"network: {experiment.network}, {len(experiment.model.parameters())} parameters, each a scalar node")


def report(experiment: Experiment, folder: Path) -> None:
    """Print how good the model is and what the diagnosis says, and draw the run."""
    training, data = experiment.training, experiment.data
    measured = [evaluate(experiment.model, training.loss, part, training.task)[1].texts() for part in data]
    for name in measured[0]:
        print(f"{name}: " + ", ".join(f"{role} {part[name]}" for role, part in zip(Split._fields, measured)))
    guess, guessed = constant_guess(training.task, data.training, data.test)
    always = f"{guess!r}, the most frequent class"
    if training.task.kind == REGRESSION:
        always = f"{to_digits(data.training.units[0])}, the mean"
    [(name, number), *_] = guessed.texts().items()
    print(f"for comparison: always {always}: test {f'{name} {number}'.removeprefix('accuracy ')}")
    diagnose(experiment)
    print(f"weights: {text_name(str(folder / WEIGHTS))}")
    if experiment.config["watch"]:
        _film(experiment, folder)
        print(f"film: {text_name(str(folder / FILM))}")
    _draw(experiment, folder, " ".join(next(iter(measured[-1].items()))))


def diagnose(experiment: Experiment) -> None:
    """Print the verdicts on the run so far."""
    for verdict in experiment.diagnosis.verdicts(experiment.data.test):
        print(f"diagnosis: {verdict}")


def title(experiment: Experiment) -> str:
    """The name of the data."""
    return text_name(Path(experiment.config["data"].removesuffix(".gz")).stem)


def _draw(experiment: Experiment, folder: Path, reached: str) -> None:
    run, layers = (folder / name for name in PICTURES)
    name, target = f"{title(experiment)}, {experiment.network}", experiment.schema.target.name
    records = experiment.training.records
    try:
        picture(run, experiment.model, experiment.data, records, f"{name}: test {reached}", target)
        layers_picture(layers, experiment.diagnosis.records, f"{name}: the layers")
        print(f"pictures: {text_name(str(run))}, {text_name(str(layers))}")
    except ImportError as error:
        print(f"no picture: {error}")


def _film(experiment: Experiment, folder: Path) -> None:
    """The page that plays the whole run, from the weights after each of its epochs."""
    from nn.watching import watch

    model, kept, history = experiment.model, experiment.model.state_dict(), []
    for path in sorted((folder / HISTORY).glob(STATES))[: len(experiment.training.records)]:
        load(model, path)
        history.append(model.state_dict())
    model.load_state_dict(kept)
    write_whole(folder / FILM, watch(experiment.training, history).page.encode())
