"""Tests of runs from the command line: the folder, bit-for-bit resumption, predictions and the diagnosis."""

import contextlib
import errno
import gzip
import io
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from conftest import ROOT
from safetensors.numpy import load_file, save as to_bytes

import nn
import nn.replaying
from nn import plots
from nn.__main__ import configuration, data_first, main, parser
from nn.cli import runs
from nn.cli.csv_tables import read_table
from nn.cli.experiment import build, schedule
from nn.data import Dataset, iris, moons
from nn.diagnostics import Diagnosis, LayerRecord, judge
from nn.records import EpochRecord

LONG = ["moons", "--epochs", "4000", "--examples", "40", "--hidden", "4"]
SMALL = ["moons", "--examples", "40", "--hidden", "4", "3"]
EVERYTHING = [
    "moons", "--examples", "60", "--hidden", "5", "4", "--activation", "tanh", "--dropout", "0.2", "--batchnorm",
    "--standardize", "--schedule", "cosine", "--warm-up", "1", "--optimizer", "adamw", "--patience", "10",
    "--clip-norm", "1", "--l1", "0.001", "--epochs", "6",
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("blank_pictures")


@pytest.fixture
def real_pictures(monkeypatch):
    monkeypatch.setattr(runs, "picture", plots.picture)
    monkeypatch.setattr(runs, "layers_picture", plots.layers_picture)


def config_of(*words):
    return configuration(parser().parse_args([str(word) for word in words]))


def tensors(folder, name):
    return {key: array.tolist() for key, array in load_file(folder / name).items()}


@contextmanager
def training_elsewhere(folder, until="epoch    1", options=LONG):
    """Inside, another process trains in the folder and has printed ``until``; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nn", *options, "--out", str(folder)],
        stdout=subprocess.PIPE, cwd=folder.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
    )  # fmt: skip
    with process:
        assert any(line.startswith(until) for line in process.stdout)
        try:
            yield
        finally:
            process.kill()


# ---- the folder ------------------------------------------------------------------------------------------------


def test_a_run_is_a_folder_of_configuration_records_weights_plots_and_a_checkpoint(real_pictures, tmp_path, capsys):
    main([*SMALL, "--epochs", "3", "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors", "picture.png", "layers.png",
    }  # fmt: skip
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in runs.PICTURES)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["hidden"], config["learning_rate"], config["seed"]) == ([4, 3], 0.01, 0)
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert [layer["layer"] for layer in records[0]["layers"]] == [1, 2, 3]
    printed = capsys.readouterr().out
    assert f"loss {records[-1]['loss']:.4f}" in printed
    assert "diagnosis: " in printed


def test_a_configuration_builds_the_same_scalars_twice():
    first, second = (build(config_of(*EVERYTHING)) for _ in range(2))
    assert first.model.state_dict() == second.model.state_dict()
    assert first.data == second.data
    assert list(first.training) == list(second.training)


def test_preprocessing_is_fitted_on_the_training_data_alone():
    raw, scaled = build(config_of("iris", "--raw")), build(config_of("iris"))
    assert scaled.config["preprocess"] == [["standardize"]]
    for k, column in enumerate(zip(*raw.data.training.X)):
        mean = sum(column) / len(column)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in column) / len(column))
        expected = (raw.data.test.X[0][k] - mean) / deviation
        assert scaled.data.test.X[0][k] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (["--pca", "2"], [["pca", 2]]),
        (["--standardize", "--whiten"], [["standardize"], ["whiten"]]),
        (["--zero-center"], [["zero_center"]]),
        (["--raw"], []),
    ],
)
def test_preprocessing_is_what_the_options_ask_for(options, steps):
    experiment = build(config_of("iris", *options))
    assert experiment.config["preprocess"] == steps
    assert len(experiment.preprocessing.steps) == len(steps)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        (["--schedule", "linear"], [1.0, 0.75, 0.5, 0.25]),
        (["--schedule", "cosine"], [1.0, 0.5 + 0.25 * math.sqrt(2.0), 0.5, 0.5 - 0.25 * math.sqrt(2.0)]),
        (["--schedule", "exponential", "--factor", "0.5"], [1.0, 0.5, 0.25, 0.125]),
        (["--schedule", "inverse_time", "--factor", "1"], [1.0, 1 / 2, 1 / 3, 1 / 4]),
        (["--schedule", "step", "--every", "2"], [1.0, 1.0, 0.5, 0.5]),
        (["--warm-up", "2"], [0.5, 1.0, 1.0, 1.0]),
    ],
)
def test_schedules_go_by_epochs_and_a_warm_up_by_updates(options, rates):
    config = build(config_of("moons", *options, "--epochs", "4", "--learning-rate", "1")).config
    eta = schedule(config, updates=3)
    # at the last update of each epoch
    assert [eta(3 * epoch + 2) for epoch in range(4)] == pytest.approx(rates, rel=1e-12)


# ---- going on --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["eager", "replay"])
def uninterrupted(request, tmp_path_factory, blank_pictures):
    folder = tmp_path_factory.mktemp("whole")
    with contextlib.redirect_stdout(io.StringIO()):
        main([*EVERYTHING, "--engine", request.param, "--out", str(folder)])
    return request.param, folder


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_run_interrupted_in_any_epoch_and_resumed_equals_the_whole_one_to_the_last_bit(
    tmp_path, monkeypatch, capsys, stop, uninterrupted
):
    (engine, whole), broken = uninterrupted, tmp_path / "broken"
    count, counted = nn.training.numbers_of, nn.replaying._Recorded._result
    steps = []

    def interrupted(function):
        def called(first, *others):
            steps.append(first)
            epoch = len((broken / "records.jsonl").read_text().splitlines())
            if epoch == stop and len(steps) % 3 == 0:  # in the middle of the epoch
                raise KeyboardInterrupt
            return function(first, *others)

        return called

    monkeypatch.setattr(nn.training, "numbers_of", interrupted(count))
    monkeypatch.setattr(nn.replaying._Recorded, "_result", interrupted(counted))
    with pytest.raises(SystemExit) as left:
        main([*EVERYTHING, "--engine", engine, "--out", str(broken)])
    assert left.value.code == 130
    assert f"interrupted after epoch {stop}; to continue, run: python -m nn resume" in capsys.readouterr().err
    assert not (broken / "weights.safetensors").exists()
    monkeypatch.undo()
    main(["resume", str(broken)])
    assert (broken / "records.jsonl").read_text() == (whole / "records.jsonl").read_text()
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        assert tensors(broken, name) == tensors(whole, name)


def test_a_run_that_is_killed_leaves_a_checkpoint_that_goes_on(tmp_path):
    options = ["moons", "--epochs", "400", "--examples", "40", "--hidden", "4"]
    with training_elsewhere(tmp_path, until="epoch  40", options=options):
        pass
    before = (tmp_path / "records.jsonl").read_text().splitlines()
    assert 40 <= len(before) < 400
    main(["resume", str(tmp_path), "--epochs", str(len(before) + 2)])
    after = (tmp_path / "records.jsonl").read_text().splitlines()
    assert len(after) == len(before) + 2
    done = [json.loads(line)["epoch"] for line in after]
    assert done == list(range(1, len(done) + 1))


def test_a_run_stopped_anywhere_while_it_takes_an_older_ones_place_is_no_mixture_of_both(tmp_path, monkeypatch):
    whole = {}
    for seed in "01":
        main([*SMALL, "--epochs", "2", "--seed", seed, "--out", str(tmp_path / seed)])
        whole[seed] = tensors(tmp_path / seed, "weights.safetensors")
    ends = []
    for stop in range(14):
        run, calls = tmp_path / f"stopped {stop}", itertools.count()
        shutil.copytree(tmp_path / "0", run)

        def stopped(function, calls=calls, stop=stop):
            def called(*arguments, **options):
                if next(calls) == stop:
                    raise KeyboardInterrupt
                return function(*arguments, **options)

            return called

        with monkeypatch.context() as change, pytest.raises(SystemExit):
            change.setattr(os, "replace", stopped(os.replace))
            change.setattr(Path, "unlink", stopped(Path.unlink))
            main([*SMALL, "--epochs", "2", "--seed", "1", "--out", str(run)])
        try:
            main(["resume", str(run)])
        except SystemExit as left:
            assert left.code == 2
            ends.append("refused")
        else:
            found = tensors(run, "weights.safetensors"), runs.read_config(run)["seed"]
            ends += [seed for seed in whole if found == (whole[seed], int(seed))]
    assert ends == sorted(ends, key=["0", "refused", "1"].index) and len(ends) == 14
    assert {"0", "1"} <= set(ends)


def test_a_finished_run_can_go_on_to_more_epochs_as_if_more_had_been_asked_for(tmp_path):
    long, short = tmp_path / "long", tmp_path / "short"
    main([*SMALL, "--epochs", "5", "--out", str(long)])
    main([*SMALL, "--epochs", "3", "--out", str(short)])
    main(["resume", str(short), "--epochs", "5"])
    assert tensors(short, "weights.safetensors") == tensors(long, "weights.safetensors")
    assert (short / "records.jsonl").read_text() == (long / "records.jsonl").read_text()


def test_a_schedule_that_is_stretched_by_more_epochs_says_so(tmp_path, capsys):
    for name, said in (("cosine", True), ("exponential", False)):
        main([*SMALL, "--epochs", "2", "--schedule", name, "--out", str(tmp_path)])
        capsys.readouterr()
        main(["resume", str(tmp_path)])
        assert "schedule: " not in capsys.readouterr().out
        main(["resume", str(tmp_path), "--epochs", "4"])
        assert ("schedule: cosine now takes 4 epochs instead of 2" in capsys.readouterr().out) == said


def test_a_run_that_blows_up_says_so_and_keeps_its_last_good_checkpoint(tmp_path, refused):
    line = refused(main, *SMALL, "--epochs", "2", "--learning-rate", "1e300", "--out", tmp_path, prints=True)
    assert "training failed in epoch 1" in line and "try a lower learning rate" in line and "--learning-rate" in line
    assert "example " in line and " of the training data, counted from 1: affine at " in line
    state = tensors(tmp_path, "checkpoint.safetensors")
    assert all(math.isfinite(x) for row in state["model.net.layers.0.W"] for x in row)


@pytest.mark.parametrize("spoil", ["config.json", "records.jsonl", "checkpoint.safetensors"])
def test_a_folder_whose_files_are_spoilt_is_refused_by_name(tmp_path, refused, capsys, spoil):
    main([*SMALL, "--epochs", "2", "--out", str(tmp_path)])
    capsys.readouterr()
    (tmp_path / spoil).write_bytes(b"{")
    assert spoil in refused(main, "resume", tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda config: {"schema": 1},
        lambda config: {**config, "epochs": "x"},
        lambda config: {name: x for name, x in config.items() if name not in ("activation", "optimizer")},
    ],
)
def test_a_configuration_that_no_run_wrote_is_one_line(tmp_path, refused, capsys, spoil):
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path)])
    capsys.readouterr()
    new = tmp_path / "new.csv"
    new.write_text("x₁,x₂\n1,2\n")
    spoilt = spoil(json.loads((tmp_path / "config.json").read_text()))
    (tmp_path / "config.json").write_text(json.dumps(spoilt))
    assert "config.json is not valid" in refused(main, "resume", tmp_path)
    if "epochs" not in spoilt or spoilt["epochs"] != "x":  # which predictions do not need
        assert "config.json is not valid" in refused(main, "predict", tmp_path, new)


def test_a_run_does_not_go_back_to_fewer_epochs(tmp_path, refused, capsys):
    main([*SMALL, "--epochs", "3", "--out", str(tmp_path)])
    capsys.readouterr()
    before = (tmp_path / "config.json").read_text()
    for epochs in (2, 0, -1):
        assert f"epochs = {epochs}" in refused(main, "resume", tmp_path, "--epochs", epochs)
    assert (tmp_path / "config.json").read_text() == before


def test_a_folder_with_a_configuration_of_something_else_is_left_alone(tmp_path, refused):
    (tmp_path / "config.json").write_text('{"editor": "dark"}')
    assert "config.json is not valid: KeyError 'schema'" in refused(main, *SMALL, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("name", ["picture.png", "weights.safetensors"])
def test_files_of_a_runs_names_without_a_configuration_are_left_alone(tmp_path, refused, name):
    (tmp_path / name).write_text("mine")
    assert f"contains {name} without a config.json" in refused(main, *SMALL, "--out", tmp_path)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_links_in_a_folder_are_replaced_and_what_they_lead_to_is_left_alone(real_pictures, tmp_path):
    run, mine = tmp_path / "run", tmp_path / "mine"
    main([*SMALL, "--epochs", "1", "--out", str(run)])
    mine.mkdir()
    for path in [path for path in run.rglob("*") if path.is_file()]:
        (mine / path.name).write_text("mine")
        path.unlink()
        if path.parent == run and path.name != "config.json":
            path.symlink_to(mine / path.name)
    (run / "config.json").write_text('{"schema": {}}')
    main([*SMALL, "--epochs", "1", "--out", str(run)])
    assert {path.read_text() for path in mine.iterdir()} == {"mine"}
    assert not [path for path in run.rglob("*") if path.is_symlink()]


def test_a_folder_without_a_run_is_refused(tmp_path, refused):
    assert "contains no run" in refused(main, "resume", tmp_path)
    assert "contains no run" in refused(main, "predict", tmp_path / "nowhere", tmp_path / "new.csv")


# ---- one run in a folder ---------------------------------------------------------------------------------------


NEW_ROWS = "x₁,x₂\n0.5,0.25\n-1,1\n"


def test_a_second_run_is_refused_until_the_first_is_gone_though_it_was_killed(tmp_path, refused, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    new.write_text(NEW_ROWS, encoding="utf-8")
    with training_elsewhere(run):
        for words in ([*SMALL, "--seed", "1", "--out", run], ["resume", run]):
            assert refused(main, *words).startswith(f"nn: {run} is in use by another run: ")
        main(["predict", str(run), str(new)])  # reads whole files, and no lock keeps it out
        assert "using the weights of epoch " in capsys.readouterr().err
        assert runs.read_config(run)["epochs"] == 4000
    done = len((run / "records.jsonl").read_text().splitlines())
    main(["resume", str(run), "--epochs", str(done + 1)])
    main([*SMALL, "--epochs", "1", "--out", str(run)])


def test_another_thread_is_refused_as_another_process_is(tmp_path, monkeypatch, capsys):
    codes = []

    def second(*words):
        try:
            main([*words])
        except SystemExit as left:
            codes.append(left.code)

    def meanwhile(*arguments):
        for words in ([*SMALL, "--out", str(tmp_path)], ["resume", str(tmp_path)]):
            thread = threading.Thread(target=second, args=words)
            thread.start()
            thread.join()

    monkeypatch.setattr(runs, "picture", meanwhile)
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path)])
    assert codes == [2, 2]
    assert capsys.readouterr().err.count("is in use by another run") == 2
    main(["resume", str(tmp_path), "--epochs", "1"])  # the lock has gone with the run
    assert not (tmp_path / ".chainrule.lock").exists()


def test_a_lock_that_an_ending_run_removes_at_the_same_moment_counts_as_taken(tmp_path, monkeypatch, refused, capsys):
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path)])
    capsys.readouterr()
    monkeypatch.setattr(runs, "_lock", lambda file: (tmp_path / ".chainrule.lock").unlink())
    assert "is in use by another run" in refused(main, "resume", tmp_path)


def test_where_files_cannot_be_locked_a_run_goes_on_and_says_so(tmp_path, monkeypatch, capsys):
    def no_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(runs, "_lock", no_locks)
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path)])
    assert f"{tmp_path} cannot be locked, [Errno {errno.ENOLCK}] No locks available: " in capsys.readouterr().err
    assert (tmp_path / "weights.safetensors").exists()


FILES = ("config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors")


@pytest.mark.parametrize(
    ("name", "options"),  # another configuration, and the same, which gives the same records
    [*((name, ["--seed", "1"]) for name in FILES), *((name, []) for name in FILES if name != "records.jsonl")],
)
def test_a_folder_with_files_of_two_runs_is_refused(tmp_path, refused, capsys, name, options):
    main([*SMALL, "--epochs", "2", "--out", str(tmp_path / "run")])
    main([*SMALL, "--epochs", "2", *options, "--out", str(tmp_path / "other")])
    (tmp_path / "new.csv").write_text(NEW_ROWS, encoding="utf-8")
    shutil.copy(tmp_path / "other" / name, tmp_path / "run" / name)
    capsys.readouterr()
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert name in refused(main, "resume", tmp_path / "run", "--epochs", "3")
    if name in ("config.json", "weights.safetensors"):
        line = refused(main, "predict", tmp_path / "run", tmp_path / "new.csv")
        assert "contains config.json from one run but weights.safetensors from another: start the run again" in line
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("setting", ["seed", "learning_rate", "hidden"])
def test_a_setting_that_was_changed_after_the_training_is_refused_by_name(tmp_path, refused, capsys, setting):
    run = tmp_path / "run"
    main([*SMALL, "--epochs", "2", "--out", str(run)])
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {setting: [5] if setting == "hidden" else 7}))
    capsys.readouterr()
    line = refused(main, "resume", run, "--epochs", "3")
    assert f"config.json has {setting} = " in line and "restore the setting, or start a new run" in line
    (run / "config.json").write_text(json.dumps(config))
    main(["resume", str(run), "--epochs", "3"])


def test_a_folder_of_an_earlier_version_predicts_and_is_not_gone_on_with(tmp_path, refused, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    new.write_text(NEW_ROWS, encoding="utf-8")
    main([*SMALL, "--epochs", "1", "--out", str(run)])
    main(["predict", str(run), str(new)])
    expected = capsys.readouterr().out.splitlines()[-2:]
    config = runs.read_config(run)
    del config["run"]
    (run / "config.json").write_text(json.dumps(config))
    arrays = load_file(run / "weights.safetensors")
    (run / "weights.safetensors").write_bytes(to_bytes(arrays, {"config": json.dumps(config)}))
    main(["predict", str(run), str(new)])
    assert capsys.readouterr().out.splitlines()[-2:] == expected
    state = json.dumps(build(config).training.state_dict() | {"model": {}})
    (run / "checkpoint.safetensors").write_bytes(
        to_bytes(load_file(run / "checkpoint.safetensors"), {"training": state})
    )
    assert "checkpoint.safetensors has no checksum, perhaps because an earlier version" in refused(
        main, "resume", run
    )
    (run / "weights.safetensors").unlink()
    assert "has no checksum, perhaps because an earlier version" in refused(main, "predict", run, new)


@pytest.mark.parametrize("spoil", [b"", b'{"epoch": 4, "lo', b'{"epoch": 4}\n', b"\xff\n\n{"])
def test_what_a_kill_leaves_behind_the_last_record_is_dropped(tmp_path, spoil):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    main([*SMALL, "--epochs", "5", "--out", str(whole)])
    main([*SMALL, "--epochs", "3", "--out", str(torn)])
    with open(torn / "records.jsonl", "ab") as file:
        file.write(spoil)
    main(["resume", str(torn), "--epochs", "5"])
    assert (torn / "records.jsonl").read_bytes() == (whole / "records.jsonl").read_bytes()
    assert tensors(torn, "weights.safetensors") == tensors(whole, "weights.safetensors")


def test_a_recorded_loss_that_was_changed_is_refused(tmp_path, refused, capsys):
    main([*SMALL, "--epochs", "2", "--out", str(tmp_path)])
    capsys.readouterr()
    records = (tmp_path / "records.jsonl").read_text()
    (tmp_path / "records.jsonl").write_text(records.replace('"loss": 0.', '"loss": 1.', 1))
    assert "records.jsonl does not match the records of the 2 epochs" in refused(main, "resume", tmp_path)


def test_an_epoch_writes_no_more_than_the_first_ones_did(tmp_path, monkeypatch):
    written, by_epoch = [], []

    def counted(function):
        def called(path, content):
            written.append(len(content))
            function(path, content)

        return called

    for module, name in ((runs, "append"), (runs, "write_whole"), (nn.checkpoint, "write_whole")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))

    def at_the_end_of_the_epoch(training, path, *arguments, **options):
        nn.checkpoint.save_training(training, path, *arguments, **options)
        by_epoch.append(sum(written))
        written.clear()

    monkeypatch.setattr(runs, "save_training", at_the_end_of_the_epoch)
    main([*SMALL, "--epochs", "60", "--out", str(tmp_path)])
    # a line of records takes 600 bytes; the digits of losses and of the generator's state differ by a few
    assert len(by_epoch) == 61 and max(by_epoch[2:]) - min(by_epoch[2:]) < 400


# ---- the best epoch --------------------------------------------------------------------------------------------


def test_the_best_epoch_of_a_run_that_blew_up_predicts_and_can_be_made_its_last(tmp_path, refused, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    new.write_text(NEW_ROWS, encoding="utf-8")
    rising = ["--optimizer", "sgd", "--schedule", "exponential", "--factor", "1e200"]
    line = refused(main, *SMALL, *rising, "--epochs", "5", "--out", run, prints=True)
    assert "training failed in epoch 2: " in line
    assert f"; {run / 'weights.safetensors'} contains epoch 1, the best so far" in line
    main(["predict", str(run), str(new)])
    predicted = capsys.readouterr().out.splitlines()
    assert "training failed in epoch 2: " in refused(main, "resume", run, prints=True)
    main(["resume", str(run), "--epochs", "1"])
    main([*SMALL, *rising, "--epochs", "1", "--out", str(tmp_path / "short")])
    assert tensors(run, "weights.safetensors") == tensors(tmp_path / "short", "weights.safetensors")
    capsys.readouterr()
    main(["predict", str(run), str(new)])
    assert capsys.readouterr().out.splitlines() == predicted


def test_an_interrupted_run_predicts_with_its_best_epoch(tmp_path, flowers, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = [str(flowers), "--target", "species", "--standardize", "--batchnorm"]
    main([*options, "--epochs", "2", "--out", str(whole)])
    save = runs.write_checkpoint

    def interrupted(experiment, folder, records):
        save(experiment, folder, records)
        if len(experiment.training.records) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "write_checkpoint", interrupted)
    with pytest.raises(SystemExit):
        main([*options, "--epochs", "9", "--out", str(broken)])
    capsys.readouterr()
    main(["predict", str(whole), str(flowers)])
    expected = capsys.readouterr().out
    main(["predict", str(broken), str(flowers)])
    said = capsys.readouterr()
    assert said.out == expected
    assert said.err.startswith("the run is not finished: using the weights of epoch 2, the best so far\n")


def test_a_run_without_an_epoch_has_no_weights_to_predict_with(tmp_path, monkeypatch, refused, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    (tmp_path / "new.csv").write_text(NEW_ROWS, encoding="utf-8")
    monkeypatch.setattr(nn.training.Training, "_epoch", interrupted)
    with pytest.raises(SystemExit):
        main([*SMALL, "--out", str(tmp_path / "run")])
    capsys.readouterr()
    line = refused(main, "predict", tmp_path / "run", tmp_path / "new.csv")
    assert "has no weights yet: run python -m nn resume" in line


# ---- a table of one's own --------------------------------------------------------------------------------------


@pytest.fixture
def flowers(tmp_path):
    data = iris()
    path = tmp_path / "flowers.csv"
    rows = [[*map(str, x), data.classes[y]] for x, y in zip(data.X, data.y)]
    path.write_text("\n".join(",".join(row) for row in [["sl", "sw", "pl", "pw", "species"], *rows]) + "\n")
    return path


def test_a_table_is_learned_and_new_rows_are_predicted(tmp_path, flowers, capsys):
    run, out = tmp_path / "run", tmp_path / "predicted.csv"
    main([str(flowers), "--target", "species", "--epochs", "25", "--out", str(run)])
    capsys.readouterr()
    main(["predict", str(run), str(flowers), "--out", str(out)])
    printed = capsys.readouterr()
    assert printed.out == ""
    rows = [line.split(",") for line in out.read_text().splitlines()]
    assert rows[0] == ["sl", "sw", "pl", "pw", "species", "prediction", "probability"]
    right = sum(row[4] == row[5] for row in rows[1:])
    assert printed.err.strip() == f"accuracy: {right / 150:.1%} on 150 rows"
    assert right >= 140  # two of the species lie apart, and the third overlaps one of them a little
    assert all(1 / 3 <= float(row[6]) <= 1.0 for row in rows[1:])


def test_rows_are_predicted_without_the_target_one_at_a_time_and_in_any_order_of_columns(tmp_path, flowers, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    main([str(flowers), "--target", "species", "--epochs", "5", "--batchnorm", "--out", str(run)])
    main(["predict", str(run), str(flowers)])
    every = capsys.readouterr().out.splitlines()[-150:]
    new.write_text("pw,sl,sw,pl\n0.2,5.1,3.5,1.4\n")
    main(["predict", str(run), str(new)])
    assert capsys.readouterr().out.splitlines()[1].split(",")[-2:] == every[0].split(",")[-2:]


def test_the_accuracy_is_set_beside_that_of_the_most_frequent_class(tmp_path, capsys):
    rows = [f"{i % 7},{'rare' if i % 10 == 0 else 'common'}" for i in range(100)]
    (tmp_path / "my.csv").write_text("\n".join(["x,kind", *rows]) + "\n")
    main([str(tmp_path / "my.csv"), "--target", "kind", "--epochs", "1", "--out", str(tmp_path / "run")])
    # the split is stratified: 18 of the 20 test rows
    assert "baseline, always predicting 'common', the most frequent class: test 90.0%\n" in capsys.readouterr().out


def test_classes_too_rare_for_a_part_are_named(tmp_path, capsys):
    names = ["common"] * 20 + ["rare", "scarce", "scarce"]
    (tmp_path / "my.csv").write_text("\n".join(["x,kind", *(f"{i},{name}" for i, name in enumerate(names))]) + "\n")
    main([str(tmp_path / "my.csv"), "--target", "kind", "--epochs", "1", "--out", str(tmp_path / "run")])
    out = capsys.readouterr().out
    assert "my.csv: 1 number (x); " in out
    assert "x increases by 1 from row to row: if it only numbers the rows, leave it out (--ignore 'x')\n" in out
    # shares of .6, .2, .2, rounded
    assert [line for line in out.splitlines() if line.startswith("class ")] == [
        "class 'rare' has only 1 example, which is not enough for validation or test",
        "class 'scarce' has only 2 examples, which is not enough for test",
    ]


def test_rows_whose_class_is_not_known_are_predicted_and_not_counted(tmp_path, flowers, refused, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    main([str(flowers), "--target", "species", "--epochs", "1", "--out", str(run)])
    assert "flowers.csv: 4 numbers (sl, sw, pl, pw); to predict: species, one of setosa" in capsys.readouterr().out
    new.write_text("sl,sw,pl,pw,species\n5.1,3.5,1.4,0.2,\n6.3,3.3,6.0,2.5,?\n")
    main(["predict", str(run), str(new)])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and err == ""  # ? is a class that the network does not know
    first = out.splitlines()[1].split(",")[-2]
    new.write_text(f"sl,sw,pl,pw,species\n6.3,3.3,6.0,2.5,?\n5.1,3.5,1.4,0.2,{first}\n")
    main(["predict", str(run), str(new), "--out", str(tmp_path / "predicted.csv")])
    assert capsys.readouterr().err == "accuracy: 100.0% on 1 row; 1 row without a known target\n"
    assert "already has a column 'prediction'" in refused(main, "predict", run, tmp_path / "predicted.csv")


def test_names_with_points_and_dollars_lead_out_of_no_folder_and_into_no_formula(
    real_pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 5},{i % 7},{('_../up', '$/bad{$')[i % 2]}" for i in range(20)]
    (tmp_path / "...csv").write_text("\n".join(["../$x$,/$,y", *rows]) + "\n")
    main(["...csv", "--target", "y", "--epochs", "1", "--hidden", "2"])
    assert {path.name for path in tmp_path.iterdir()} == {"...csv", "runs"}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["table"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes among its files")
def test_what_is_no_file_is_not_waited_for(tmp_path, flowers, refused, capsys):
    run, pipe = tmp_path / "run", tmp_path / "pipe.csv"
    main([str(flowers), "--target", "species", "--epochs", "1", "--out", str(run)])
    capsys.readouterr()
    os.mkfifo(pipe)  # into which nobody writes
    for no_file in (pipe, tmp_path, "/dev/null"):
        assert "is neither a file nor one of" in refused(main, no_file, "--target", "species")
    assert f"{tmp_path}: Is a directory" in refused(main, "predict", run, tmp_path)
    assert "/dev/null: No columns to parse from file" in refused(main, "predict", run, "/dev/null")


def test_predictions_are_written_as_the_table_is_and_can_be_read_back(tmp_path, flowers, capsys):
    run, german = tmp_path / "run", tmp_path / "german.csv"
    german.write_text(flowers.read_text().replace(",", ";").replace(".", ","))
    main([str(german), "--target", "species", "--epochs", "1", "--out", str(run)])
    main(["predict", str(run), str(german), "--out", str(tmp_path / "first.csv")])
    first = (tmp_path / "first.csv").read_text()
    again = "\n".join(line.rpartition(";")[0].rpartition(";")[0] for line in first.splitlines()) + "\n"
    assert again == german.read_text()  # but for the two columns that were added
    (tmp_path / "again.csv").write_text(first.replace("prediction;probability", "before;share"))
    assert read_table(tmp_path / "again.csv").numbers("share").between(1 / 3, 1.0).all()
    main(["predict", str(run), str(tmp_path / "again.csv"), "--out", str(tmp_path / "second.csv")])
    assert [line.split(";")[-2:] for line in (tmp_path / "second.csv").read_text().splitlines()] == [
        line.split(";")[-2:] for line in first.splitlines()
    ]


def test_predictions_in_a_gz_file_are_compressed_and_can_be_read_back(tmp_path, flowers, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv.gz"
    main([str(flowers), "--target", "species", "--epochs", "1", "--out", str(run)])
    capsys.readouterr()
    main(["predict", str(run), str(flowers)])
    main(["predict", str(run), str(flowers), "--out", str(new)])
    assert gzip.decompress(new.read_bytes()).decode() == capsys.readouterr().out


def test_a_run_on_a_compressed_table_is_called_after_the_table(tmp_path, flowers, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.csv.gz").write_bytes(gzip.compress(flowers.read_bytes()))
    main(["small.csv.gz", "--target", "species", "--epochs", "1"])
    assert "\nsmall: " in capsys.readouterr().out
    assert (tmp_path / "runs" / "small" / "config.json").exists()


def test_a_table_that_was_changed_is_not_gone_on_with(tmp_path, flowers, refused, capsys):
    main([str(flowers), "--target", "species", "--epochs", "1", "--out", str(tmp_path / "run")])
    capsys.readouterr()
    flowers.write_text(flowers.read_text() + "1,1,1,1,setosa\n")
    assert "differs from the file that the run started with" in refused(main, "resume", tmp_path / "run")


def test_a_table_that_was_moved_is_read_where_it_is_now(tmp_path, flowers, refused, capsys):
    whole, run, moved = tmp_path / "whole", tmp_path / "run", tmp_path / "moved" / "iris.csv"
    options = [str(flowers), "--target", "species", "--engine", "eager", "--epochs"]
    main([*options, "3", "--out", str(whole)])
    main([*options, "1", "--out", str(run)])
    moved.parent.mkdir()
    flowers.rename(moved)
    capsys.readouterr()
    assert f"{flowers} does not exist: run python -m nn resume {run} --data FILE.csv" in refused(main, "resume", run)
    assert "elsewhere.csv does not exist" in refused(main, "resume", run, "--data", "elsewhere.csv")
    new = tmp_path / "new.csv"
    new.write_text(moved.read_text() + "1,1,1,1,setosa\n")
    assert f"{new} differs from the file that the run started with" in refused(main, "resume", run, "--data", new)
    main(["resume", str(run), "--data", str(moved), "--epochs", "2"])
    main(["resume", str(run), "--epochs", "3"])
    assert tensors(run, "weights.safetensors") == tensors(whole, "weights.safetensors")
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path / "made")])
    capsys.readouterr()
    assert "are moons, not a file" in refused(main, "resume", tmp_path / "made", "--data", moved)


# ---- a target that is a number ---------------------------------------------------------------------------------


@pytest.fixture
def houses(tmp_path):
    """Prices of 60 houses, a sum of what each square metre, room and district costs."""
    rng, path, district = Random(0), tmp_path / "houses.csv", {"north": 0.0, "south": 50.0}
    rows = []
    for i in range(60):
        size, rooms, where = rng.uniform(40.0, 200.0), rng.randint(1, 6), ["north", "south"][i % 2]
        rows.append(f"{size:.1f},{rooms},{where},{2 * size + 10 * rooms + district[where]:.2f}\n")
    path.write_text("size,rooms,district,price\n" + "".join(rows))
    return path


def test_a_target_of_numbers_is_predicted_in_its_own_units_beside_always_the_mean(tmp_path, houses, capsys):
    run, out = tmp_path / "run", tmp_path / "out.csv"
    main([str(houses), "--target", "price", "--epochs", "30", "--out", str(run)])
    printed = capsys.readouterr().out
    experiment = build(runs.read_config(run))
    nn.checkpoint.load(experiment.model, run / "weights.safetensors")
    prices = [float(line.split(",")[-1]) for line in houses.read_text().splitlines()[1:]]
    train, _, test = ([mean + deviation * y for y in part.y] for part in experiment.data
                      for mean, deviation in [part.units])  # fmt: skip
    assert sorted(round(y, 2) for part in experiment.data for y in [part.units[0] + part.units[1] * y for y in part.y]
                  ) == sorted(prices)  # fmt: skip
    mean = sum(train) / len(train)
    deviation = math.sqrt(sum((y - mean) ** 2 for y in train) / len(train))
    assert experiment.data.test.units == pytest.approx((mean, deviation), rel=1e-12)
    always = math.sqrt(sum((y - mean) ** 2 for y in test) / len(test))
    assert f"always predicting {mean:.6g}, the mean: test RMSE {always:.4g}\n" in printed
    assert f"regression: the target is standardised, {mean:.6g} ± {deviation:.6g} in the training data" in printed
    main(["predict", str(run), str(houses), "--out", str(out)])
    said = capsys.readouterr().err
    rows = [line.split(",") for line in out.read_text().splitlines()]
    assert rows[0] == ["size", "rooms", "district", "price", "prediction"]
    errors = [float(row[4]) - float(row[3]) for row in rows[1:]]
    rmse = math.sqrt(sum(error**2 for error in errors) / 60)
    assert said.startswith(f"RMSE: {rmse:.3g}"[:9]) and said.endswith(" on 60 rows\n") and "R²: 0." in said
    assert rmse < 0.5 * always
    assert f"test {experiment_rmse(experiment):.4g}\n" in printed


def experiment_rmse(experiment):
    """Of the test data, from the outputs."""
    test, (_, deviation) = experiment.data.test, experiment.data.test.units
    outputs = [experiment.model.eval()(x).data for x in test.X]
    return deviation * math.sqrt(sum((a - y) ** 2 for a, y in zip(outputs, test.y)) / len(test.y))


@pytest.mark.parametrize("data", ["houses", "sine", "diabetes"])
def test_a_regression_is_resumed_to_the_last_bit(tmp_path, houses, data):
    options = [*([str(houses), "--target", "price"] if data == "houses" else [data]), "--engine", "replay"]
    long, short = tmp_path / "long", tmp_path / "short"
    main([*options, "--hidden", "4", "--epochs", "3", "--out", str(long)])
    main([*options, "--hidden", "4", "--epochs", "1", "--out", str(short)])
    main(["resume", str(short), "--epochs", "3"])
    assert (short / "records.jsonl").read_text() == (long / "records.jsonl").read_text()
    assert tensors(short, "weights.safetensors") == tensors(long, "weights.safetensors")


def test_a_number_of_two_values_is_still_a_number_after_it_was_standardised(tmp_path, capsys):
    path = tmp_path / "two.csv"
    path.write_text("x,y\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(60)))
    balanced = 0
    for seed in range(6):
        words = [str(path), "--target", "y", "--task", "regression", "--epochs", "1", "--seed", str(seed)]
        experiment = build(config_of(*words))
        balanced += set(experiment.data.training.y) == {-1.0, 1.0}
        assert experiment.training.task.kind == "regression"
    assert balanced


def test_a_target_that_cannot_be_read_is_not_counted(tmp_path, houses, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    main([str(houses), "--target", "price", "--epochs", "1", "--out", str(run)])
    new.write_text("size,rooms,district,price\n50,2,north,\n60,2,south,?\n70,3,north,200\n")
    capsys.readouterr()
    main(["predict", str(run), str(new)])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4 and err.endswith(" on 1 row; 2 rows without a known target\n")


# ---- what a table may lack -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [".", ","])
def test_numbers_in_the_millions_are_written_without_an_exponent(tmp_path, houses, capsys, mark):
    path, header, *rows = tmp_path / "dear.csv", *houses.read_text().splitlines()
    dear = [",".join([*cells[:-1], f"{1e4 * float(cells[-1]):.1f}"]) for cells in (row.split(",") for row in rows)]
    text = "\n".join([header, *dear]) + "\n"
    path.write_text(text if mark == "." else text.replace(",", ";").replace(".", ","))
    main([str(path), "--target", "price", "--epochs", "1", "--out", str(tmp_path / "run")])
    main(["predict", str(tmp_path / "run"), str(path)])
    printed = capsys.readouterr().out
    assert "e+" not in printed
    assert re.search(r"always predicting \d{7}, the mean", printed)
    assert {len(line.split(",;"[mark == ","])[-1]) for line in printed.splitlines()[-60:]} <= {6, 7}


def test_a_category_that_was_not_seen_predicts_and_is_said(tmp_path, houses, capsys):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    main([str(houses), "--target", "price", "--epochs", "1", "--out", str(run)])
    new.write_text("size,rooms,district\n50,2,north\n50,2,west\n")
    capsys.readouterr()
    main(["predict", str(run), str(new)])
    out, err = capsys.readouterr()
    assert [len(line.split(",")) for line in out.splitlines()] == [4, 4, 4]
    assert err == (
        "row 3 of the file, column 'district' is 'west': 1 row with a category not seen in training, encoded as 0 "
        "for north, south\n"
    )


@pytest.mark.parametrize("spelling", ["{new}", "{tmp}/../{name}/new.csv", "{tmp}/link.csv", "{tmp}/hard.csv"])
def test_predictions_never_overwrite_their_table(tmp_path, houses, refused, capsys, spelling):
    run, new = tmp_path / "run", tmp_path / "new.csv"
    main([str(houses), "--target", "price", "--epochs", "1", "--out", str(run)])
    new.write_text("size,rooms,district\n50,2,north\n")
    (tmp_path / "link.csv").symlink_to(new)
    os.link(new, tmp_path / "hard.csv")
    capsys.readouterr()
    line = refused(main, "predict", run, new, "--out", spelling.format(new=new, tmp=tmp_path, name=tmp_path.name))
    assert "would overwrite the table: choose another file" in line
    for name in ("config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors"):
        kept = (run / name).read_bytes()
        line = refused(main, "predict", run, new, "--out", run / name)
        assert f"would overwrite {name} of the run: choose another file" in line and (run / name).read_bytes() == kept
    assert new.read_text() == "size,rooms,district\n50,2,north\n"


@pytest.mark.parametrize("names", ["x1,x2", "x₁,x₂", "x2,x₁"])
def test_the_inputs_of_made_data_are_found_in_either_form(tmp_path, names, capsys):
    main([*SMALL, "--epochs", "1", "--out", str(tmp_path / "run")])
    for number in "₁₂", "12":
        header = names.translate(str.maketrans("₁₂12", number * 2))
        (tmp_path / "new.csv").write_text(f"{header}\n0.5,0.25\n", encoding="utf-8")
        capsys.readouterr()
        main(["predict", str(tmp_path / "run"), str(tmp_path / "new.csv")])
        assert capsys.readouterr().out.splitlines()[0] == f"{header},prediction,probability"


def test_a_run_keeps_how_its_table_is_written_and_what_is_missing_in_it(tmp_path, refused, capsys):
    rows = "".join(f"{i % 5}:5~{'NA' if i == 3 else i % 3}~{['no', 'yes'][i % 2]}\n" for i in range(30))
    path, run = tmp_path / "odd.csv", tmp_path / "run"
    path.write_text(rows)
    options = ["--names", "a", "b", "y", "--sep", "~", "--decimal", ":", "--na-values", "NA", "--missing", "mean"]
    main([*options, "--target", "y", "--epochs", "1", "--out", str(run), str(path)])
    capsys.readouterr()
    main(["predict", str(run), str(path)])
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "a~b~y~prediction~probability" and err.endswith(" on 30 rows\n")
    assert out.splitlines()[4].startswith("3:5~NA~yes~") and ":" in out.splitlines()[4].split("~")[-1]
    path.write_text("a,b\n1.5,2\n")
    new = ["--names", "a", "b", "--sep", ",", "--decimal", "."]
    assert "row 1 of the file, column 'a' is 'a': it must be a number" in refused(main, "predict", run, path, *new)
    path.write_text(rows)
    main(["resume", str(run), "--epochs", "1"])
    assert "odd: continuing after epoch 1 of 1" in capsys.readouterr().out


# ---- options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "data", "found"),
    [
        ("--hidden 8 moons", "moons", {"hidden": [8]}),
        ("--hidden 16 16 moons --epochs 3", "moons", {"hidden": [16, 16], "epochs": 3}),
        ("--hidden moons", "moons", {"hidden": []}),
        ("moons --hidden", "moons", {"hidden": []}),
        ("moons --hidden 3 4 --epochs 2", "moons", {"hidden": [3, 4]}),
        ("--epochs 2 moons --hidden 3", "moons", {"hidden": [3]}),
        ("--pca iris", "iris", {"preprocess": [["pca"]]}),
        ("--whiten 2 iris", "iris", {"preprocess": [["whiten", 2]]}),
        ("--target price --ignore id rooms {houses}", "{houses}", {"ignore": ["id", "rooms"]}),
        ("--na-values NA ? {houses} --target price", "{houses}", {"na_values": ["NA", "?"]}),
        ("{houses} --target price --ignore iris", "{houses}", {"ignore": ["iris"]}),
        ("--hid 8 moons", "moons", {"hidden": [8]}),
    ],
)
def test_data_may_stand_behind_an_option_with_several_values(houses, words, data, found):
    arguments = words.format(houses=houses).split()
    config = configuration(parser().parse_args(data_first(arguments)))
    assert config["data"] == data.format(houses=houses) and config.items() >= found.items()


def test_data_that_do_not_exist_are_named_behind_an_option_too(refused):
    assert "DATA 'mons' is neither a file nor one of" in refused(main, "--hidden", "8", "mons")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("nowhere.csv --target y", "neither a file nor one of"),
        ("{flowers}", "needs --target"),
        ("{flowers} --target colour", "no column 'colour'"),
        ("moons --target y", "requires a file, not moons"),
        ("{flowers} --target species --noise 1", "--noise requires data circles or moons or "),
        ("moons --raw --pca", "--raw means no preprocessing"),
        ("moons --pca 3", "components = 3"),
        ("moons --calibrate", "--calibrate requires --batchnorm"),
        ("moons --nesterov", "--nesterov requires optimizer sgd, not adam"),
        ("moons --optimizer sgd --nesterov", "nesterov requires momentum, which is 0.0"),
        ("moons --factor 2", "--factor requires schedule exponential or step or inverse_time, not constant"),
        ("moons --warm-up 60", "warm_up = 60: it must be at least 0 and less than epochs = 60"),
        ("moons --dropout 1.5", "p = 1.5"),
        ("moons --patience 0", "patience = 0"),
        ("moons --batchnorm --batch-size 1", "BatchNorm needs mini-batches"),
        ("moons --momentum .5", "--momentum requires optimizer sgd or rmsprop, not adam"),
        ("iris --examples 5", "--examples requires data circles or moons or "),
        ("moons --categories kind", "requires a file, not moons"),
        ("moons --pca 0", "components = 0"),
        ("moons --every 5", "--every requires schedule step, not constant"),
        ("moons --warm-up -1", "warm_up = -1: it must be at least 0"),
        ("moons --hidden --dropout .5", "need a hidden layer"),
        ("moons --hidden --batchnorm", "need a hidden layer"),
        ("moons --seed -1", "--seed -1"),
        ("predict", "RUN, FILE.csv (python -m nn predict --help)"),
        (
            "predict {tmp} nowhere.csv",
            "{tmp} contains no run: it has no config.json; pass the folder of a run (python -m nn predict --help)",
        ),
        ("moons --epochs 1 --out {flowers}", "nn: {flowers}: File exists (python -m nn --help)"),
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, flowers, refused, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    line = refused(main, *options.format(flowers=flowers, tmp=tmp_path).split())
    assert line.startswith("nn: ") and words.format(flowers=flowers, tmp=tmp_path) in line
    assert list(tmp_path.iterdir()) == [flowers]


def test_calibrated_statistics_are_those_of_the_training_data_and_are_saved(tmp_path):
    main([*SMALL, "--epochs", "2", "--batchnorm", "--calibrate", "--out", str(tmp_path)])
    experiment = build(runs.read_config(tmp_path))
    nn.checkpoint.load(experiment.model, tmp_path / "weights.safetensors")
    z = [
        [layer.data for layer in trace.z[1]]
        for trace in experiment.model.eval().trace_batch(experiment.data.training.X)
    ]
    [mu] = [m for path, m in experiment.model.buffers().items() if path.endswith("1.mu_")]
    assert mu == pytest.approx([sum(column) / len(z) for column in zip(*z)], abs=1e-12)  # sums in another order


# ---- the diagnosis ---------------------------------------------------------------------------------------------


def diagnosed(sizes, activation, init="xavier_uniform", rate=0.1, epochs=3, scale=1.0):
    data = moons(40, rng=Random(0))
    data = data._replace(X=[[scale * x for x in row] for row in data.X])
    model = nn.MLP(2, sizes, activation=activation, init=init, rng=Random(1))
    training = nn.Training(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), rate), data, epochs=epochs,
                           batch_size=10, rng=Random(2), progress=False)  # fmt: skip
    diagnosis = Diagnosis(training)
    for _ in training:
        diagnosis.measure()
    return diagnosis


def test_the_measured_delta_is_that_of_the_lectures_algorithm():
    diagnosis = diagnosed([3, 2, 1], "tanh", epochs=1)
    net = diagnosis.model.net.layers
    W = [[[w.data for w in row] for row in net[k].W] for k in (0, 2, 4)]
    b = [[b_j.data for b_j in net[k].b] for k in (0, 2, 4)]
    squares = [0.0, 0.0, 0.0]
    for x, y in zip(diagnosis.sample.X, diagnosis.sample.y):
        done = nn.back_propagate(
            [None, *W], [None, *b], x, y, g=[None, "tanh", "tanh", "linear"], loss="binary_cross_entropy"
        )
        squares = [total + float((delta**2).sum()) for total, delta in zip(squares, done.delta[1:])]
    m = len(diagnosis.sample.y)
    measured = [layer.delta for layer in diagnosis.records[0]]
    assert measured == pytest.approx([math.sqrt(total / m) for total in squares], rel=1e-9)


def test_a_diagnosis_changes_nothing():
    diagnosis = diagnosed([3, 1], "relu", epochs=1)
    model = diagnosis.model
    before = model.state_dict(), [p.grad for p in model.parameters()], diagnosis.training.rng.getstate()
    diagnosis.measure()
    assert (model.state_dict(), [p.grad for p in model.parameters()], diagnosis.training.rng.getstate()) == before
    assert [layer.change for layer in diagnosis.records[-1]] == [0.0, 0.0]  # no update in between


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: diagnosed([4] * 9 + [1], "sigmoid", rate=0.01), {"vanishing gradients"}),
        (lambda: diagnosed([20] * 9 + [1], "linear", init="normal", rate=1e-12), {"exploding gradients"}),
        (lambda: diagnosed([8, 1], "tanh", scale=1e4, rate=1e-3), {"saturated units"}),
        (lambda: diagnosed([8, 1], "relu", rate=1e-9), {"learning rate too low"}),
        (lambda: diagnosed([8, 1], "relu", rate=80.0, epochs=8), {"learning rate too high", "dead units"}),
        (lambda: diagnosed([8, 1], "relu", init="he_normal", rate=0.3, epochs=8), {"healthy"}),
    ],
    ids=["vanishing", "exploding", "saturated", "low", "high", "healthy"],
)
def test_what_is_wrong_with_a_run_is_named_with_its_number(make, names):
    verdicts = make().verdicts()
    assert names & {verdict.name for verdict in verdicts}
    assert all(math.isfinite(verdict.number) and any(c.isdigit() for c in verdict.sentence) for verdict in verdicts)


def records(*losses):
    return [EpochRecord(i, loss, 0.5, loss, 0.5, i, i, 1.0, 0.1) for i, loss in enumerate(losses, 1)]


@pytest.mark.parametrize(
    ("losses", "layers", "name"),
    [
        ((1.0, 0.5), [(1.0, 0.1, 0.0, 0.0), (2.0, 0.1, 0.0, 0.0)], "healthy"),
        ((1.0, 0.5), [(1e-4, 0.1, 0.0, 0.0), (1.0, 0.1, 0.0, 0.0)], "vanishing gradients"),
        ((1.0, 0.5), [(1e4, 0.1, 0.0, 0.0), (1.0, 0.1, 0.0, 0.0)], "exploding gradients"),
        ((1.0, 0.5), [(1.0, 0.1, 0.5, 0.0), (1.0, 0.1, 0.0, 0.0)], "dead units"),
        ((1.0, 0.5), [(1.0, 0.1, 0.0, 0.6), (1.0, 0.1, 0.0, 0.0)], "saturated units"),
        ((1.0, 1.5), [(1.0, 0.1, 0.0, 0.0)], "learning rate too high"),
        ((1.0, 0.6, 0.9, 0.6, 0.9), [(1.0, 0.1, 0.0, 0.0)], "learning rate too high"),
        ((1.0, 0.99), [(1.0, 0.001, 0.0, 0.0)], "learning rate too low"),
        ((1.0, 0.99), [(1.0, 0.1, 0.0, 0.0)], "healthy"),
        ((1.0, 0.5), [(0.0, 0.1, 0.0, 0.0), (0.0, 0.1, 0.0, 0.0)], "healthy"),
        ((1.0, 0.5), [(1.0, 0.1, 0.0, 0.0, 0.6), (1.0, 0.1, 0.0, 0.0, 0.6)], "identical units"),
        ((1.0, 0.5), [(1.0, 0.1, 0.0, 0.0, 0.4), (1.0, 0.1, 0.0, 0.0, 1.0)], "healthy"),
        # one thing is wrong, and what follows from it is not blamed as well
        ((1.0, 0.99), [(0.0, 0.0, 1.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0, 0.0)], "identical units"),
        ((1.0, 0.99), [(1e-9, 0.0, 0.8, 0.0), (1.0, 0.0, 0.0, 0.0)], "dead units"),
    ],
)
def test_each_verdict_turns_on_its_own_number(losses, layers, name):
    rows = [[LayerRecord(l, *numbers) for l, numbers in enumerate(layers, 1)]] * len(losses)
    assert [verdict.name for verdict in judge(records(*losses), rows)] == [name]


@pytest.mark.parametrize(
    ("validation", "training", "names"),
    [
        ((0.9, 0.4, 0.7), (1.0, 0.5, 0.2), {"overfitting"}),
        ((0.9, 0.4, 0.5), (1.0, 0.5, 0.2), {"healthy"}),
        ((0.9, 0.4, 0.7), (1.0, 0.5, 0.54), {"healthy"}),  # both rose: it is not the training data that were learned
        ((math.nan,) * 3, (1.0, 0.5, 0.2), {"healthy"}),
    ],
)
def test_a_validation_loss_that_rises_while_the_training_loss_falls_is_overfitting(validation, training, names):
    run = [record._replace(validation_loss=loss) for record, loss in zip(records(*training), validation)]
    verdicts = judge(run, [[LayerRecord(1, 1.0, 0.1, 0.0, 0.0)]] * 3)
    assert {verdict.name for verdict in verdicts} == names


@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize(("init", "alike"), [("zero", 1.0), ("constant", 1.0), ("he_normal", 0.0)])
def test_units_that_began_alike_are_named_as_such(engine, init, alike, capsys, tmp_path):
    main(["moons", "--init", init, "--epochs", "4", "--engine", engine, "--out", str(tmp_path)])
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    assert [layer["alike"] for layer in json.loads(lines[-1])["layers"]] == [alike, alike, 0.0]
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("diagnosis: ")]
    assert ["use random initial weights" in line for line in said[:2]] == ([True, True] if alike else [False])


def test_a_diagnosis_refuses_what_it_cannot_measure():
    with pytest.raises(ValueError, match="without epochs"):
        judge([], [])
    model = nn.Linear(2, 1)
    training = nn.Training(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), 0.1),
                           Dataset([[1.0, 2.0]], [0], ["a", "b"], ["x", "y"]))  # fmt: skip
    with pytest.raises(TypeError, match="MLP or a Sequential"):
        Diagnosis(training)


# ---- what the defaults reach -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mean", "least"), [("digits", 0.965, 0.945), ("breast_cancer", 0.965, 0.9)])
def test_the_defaults_reach_their_accuracy_on_test_data_over_ten_seeds(name, mean, least):
    shares = []
    for seed in range(10):
        experiment = build(config_of(name, "--seed", seed))
        for _ in experiment.training:
            pass
        experiment.training.restore_best()
        shares.append(nn.accuracy(experiment.model, experiment.data.test))
    assert sum(shares) / len(shares) >= mean
    assert min(shares) >= least


def test_a_run_with_an_option_that_no_longer_exists_goes_on_as_any_other(tmp_path):
    runs.start(config_of(*SMALL[:3], "--epochs", "1") | {"watch": True}, tmp_path / "old")
    runs.start(config_of(*SMALL[:3], "--epochs", "2"), tmp_path / "new")
    main(["resume", str(tmp_path / "old"), "--epochs", "2"])
    assert tensors(tmp_path / "old", "weights.safetensors") == tensors(tmp_path / "new", "weights.safetensors")
    assert json.loads((tmp_path / "old" / "config.json").read_text())["watch"] is True


def test_the_claims_are_a_command(capsys, refused):
    main(["claims", "--list"])
    assert "batch-noise" in capsys.readouterr().out
    assert "claim 'nothing'" in refused(main, "claims", "nothing")
