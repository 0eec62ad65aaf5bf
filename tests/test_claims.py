"""Tests of the lecture's claims: each experiment agrees with the slides, and its numbers decide the verdict."""

import re
from functools import cache
from itertools import pairwise
from math import comb, exp
from statistics import fmean, pvariance
from unittest.mock import patch

import pytest

from nn.__main__ import main
from nn.lecture.claims import CLAIMS, listing, run, table
from nn.lecture.claims.layer_claims import KINDS, UNITS, drift, one_unit, three_groups, times_ten
from nn.lecture.claims.training_claims import (
    BATCHES,
    STARTS,
    chain,
    example_gradients,
    four_numbers,
    learn_xor,
    mean_accuracies,
    network_noise,
    two_examples,
    zigzag_path,
)
from nn.lecture.claims.trials import means
from nn.optim import exponential, inverse_time

SLOW = {"architecture", "bn-dropout", "bn-rates", "bn-saturating", "bn-scale", "progress", "redundancy"}
on_every_claim = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CLAIMS]
)


@cache
def result(name):
    return CLAIMS[name](0)


# ---- the numbers ------------------------------------------------------------------------------------------------


def test_c5_ten_sigmoid_layers_of_one_unit_give_the_slides_numbers():
    vanishing, exploding = chain(1.0, -0.5), chain(8.0, -4.0)
    # σ(0) = ½ at every layer, so each step back multiplies by w σ′ = w/4; nine roundings of 1e-16 each
    assert vanishing == pytest.approx([0.25 ** (10 - l) for l in range(1, 11)], rel=1e-13)
    assert exploding == pytest.approx([2.0 ** (10 - l) for l in range(1, 11)], rel=1e-13)
    assert (vanishing[0], exploding[0]) == (3.814697265625e-06, 512.0)
    found = result("unstable")
    assert [*found.numbers.values()][:2] == [vanishing, exploding]
    assert found.word == "borne out"


def test_c6_two_examples_cycle_at_a_constant_rate_and_one_over_t_is_their_mean():
    assert two_examples(0.5)[-2:] == pytest.approx([2 / 3, 4 / 3], rel=1e-12)  # what is left of the start is 2⁻²⁰⁰
    # with η_t = 1/t w is the mean of the examples met: 1 after each epoch, (t − 1)/t in between; rounding adds up
    inverse = two_examples(inverse_time(1.0, 1.0))
    assert inverse[1:] == pytest.approx([1.0 if t % 2 == 0 else (t - 1) / t for t in range(1, 201)], abs=1e-12)
    assert two_examples(1.0, batch=True)[1:] == [1.0] * 200
    # w − 1 after all of η = .5 · .5ᵗ, by multiplying out (1 − η) w + η x
    w = 3.0
    for t in range(200):
        w = (1.0 - 0.5 ** (t + 1)) * w + 0.5 ** (t + 1) * (2.0 if t % 2 else 0.0)
    assert two_examples(exponential(0.5, 0.5))[-1] == pytest.approx(w, abs=1e-12)
    assert result("settling").word == "partly borne out"  # a rate that decays too fast stops short


def test_c7_the_variance_over_all_batches_of_four_numbers_is_the_slides():
    averages, variances = zip(*map(four_numbers, (1, 2, 3, 4)))
    # without replacement: σ²/m (N − m)/(N − 1) with σ² = 1.25, N = 4
    population = pvariance([0.0, 1.0, 2.0, 3.0])
    assert variances == pytest.approx([population / m * (4 - m) / 3 for m in (1, 2, 3, 4)], abs=1e-15)
    assert averages == pytest.approx([-1.5] * 4, abs=1e-15)
    # 200 random batches estimate a variance to about a tenth; 25 % is more than two of those
    noise = network_noise(0)
    for m, found in zip(BATCHES, noise):
        assert found == pytest.approx(noise[0] / m * (100 - m) / 99, rel=0.25)


@pytest.mark.slow
def test_c2_nothing_moves_before_the_whole_batch_has_been_seen_and_small_batches_have_gained():
    found = result("progress")
    one, some, whole = found.numbers.values()
    assert len(one) == len(some) == len(whole) == 51
    assert whole[:10] == [whole[0]] * 10 and whole[10] != whole[0]
    assert one[0] == some[0] == whole[0]
    assert found.word == "borne out"


def test_c2_the_gradient_of_the_mean_is_the_mean_of_the_gradients():
    whole, *gradients = example_gradients(0)
    assert means(gradients) == pytest.approx(whole, abs=1e-15 * 10)  # of order 1, a mean of a hundred of them


def test_c4_units_that_start_alike_stay_alike_to_the_last_bit_and_learn_a_line_at_most():
    apart, moved, right = zip(*(learn_xor(0, init) for init in STARTS))
    assert [max(differences) for differences in apart[:2]] == [0.0, 0.0]
    assert min(moved) > 0.1 and min(apart[2]) > 0.1
    # xor's classes lie in opposite quarters: a line has at most three quarters of them right
    assert max(right[:2]) <= 0.8 < right[2]


@pytest.mark.slow
def test_d2_networks_of_the_same_loss_miss_single_units_more_where_none_was_dropped():
    groups = three_groups(0)
    for networks in groups:
        assert [len(rises) for _, rises in networks] == [UNITS] * 3
        assert all(rises == sorted(rises, reverse=True) for _, rises in networks)
    without, dropped, _ = (fmean(loss for loss, _ in networks) for networks in groups)
    assert without < dropped  # so a control of the same loss is needed
    _, worst, worst_stopped = (fmean(rises[0] for _, rises in networks) for networks in groups)
    assert 1.5 * worst < worst_stopped and result("redundancy").word == "borne out"


@pytest.mark.slow
def test_c9_accuracies_are_shares_of_the_examples():
    for share, n in zip(mean_accuracies(0, 2, 4), (200, 400)):  # two networks' examples
        assert 0.4 <= share <= 1.0 and abs(share * n - round(share * n)) < 1e-9


def test_d3_all_masks_of_a_linear_unit_give_the_slides_numbers():
    outputs, evaluated = one_unit()
    assert outputs == [0.0, 12.0, -4.0, 8.0, 2.0, 14.0, -2.0, 10.0]
    assert fmean(outputs) == evaluated == 5.0
    found = result("ensemble")
    sigma = 1.0 / (1.0 + exp(-5.0))
    assert f"geometric mean after σ 0.993307, evaluation {sigma:.6f}" in found.verdict
    assert "arithmetic mean after σ 0.6897" in found.verdict
    members, _, [average, *_], _ = found.numbers.values()
    assert len(members) == sum(comb(6, k) for k in range(7))
    # −log is convex: the loss of the mean output is at most the mean of the losses
    assert average <= fmean(members)
    assert found.word == "partly borne out"


def test_d4_one_positive_example_has_two_sign_patterns_and_a_batch_breaks_it():
    assert "one example: 2 of 8 patterns, 0 against the sign of δ" in result("all-positive").verdict
    # every step of the zigzag moves both weights the same way, or neither
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(zigzag_path(0, centre=False))]
    assert len(steps) == 60 and all(d1 * d2 >= 0.0 for d1, d2 in steps)
    straight = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(zigzag_path(0, centre=True))]
    assert any(d1 * d2 < 0.0 for d1, d2 in straight)


def test_d8_ten_times_the_weights_give_a_tenth_of_the_gradient_and_the_bias_none():
    (ratio, output, _), (ratio_with, output_with, bias) = times_ten(0, False), times_ten(0, True)
    assert ratio_with == pytest.approx(0.1, rel=1e-3)  # not exact: ε = 1e-5 beside a variance of order 1
    assert output_with < 1e-3 and output > 0.1
    assert bias < 1e-15
    assert abs(ratio - 0.1) > 0.01  # without it there is no such law


def test_d8_a_mean_that_beta_alone_can_move_drifts_less():
    plain, normalised = drift(0, False), drift(0, True)
    assert plain[0] == normalised[0] == 0.0
    assert max(normalised) < max(plain)


# ---- the verdicts -----------------------------------------------------------------------------------------------


def judged(name, **measured):
    """The claim's result where these functions, which measure, are replaced by others."""
    with patch.multiple(CLAIMS[name].__module__, **measured):
        return CLAIMS[name](0)


def falling(by):
    """A loss that falls from 0.6 to 0.3 within the first hundred evaluations, or after them."""
    early, late = [0.6 - 0.03 * k for k in range(10)] + [0.3] * 41, [0.6] * 10 + [0.5] * 41
    return lambda seed, size, rate: (rate, early if (size < 100) == by else late)


def accuracies(gain):
    return lambda seed, depth, width: [0.6 + gain * (depth * 12 + width), 0.6 + gain * (depth * 12 + width)]


def groups(*rises):
    return lambda seed: [[(0.1, [rise] * UNITS)] for rise in rises]


def paths(short, long):
    return lambda seed, centre: [(0.0, 0.0), (1.0, 1.0), (0.5, -0.5)] if centre == long else [(0.0, 0.0), short]


LOW, HIGH = [0.7, 0.1], [0.7, 0.7]
PAIRS = {
    "progress": (
        judged("progress", descend=falling(True), example_gradients=lambda seed: [[1.0], [0.5], [1.5]]),
        judged("progress", descend=falling(False), example_gradients=lambda seed: [[1.0], [0.5], [1.0]]),
    ),
    "zero-start": (
        judged(
            "zero-start",
            learn_xor=lambda seed, init: ([0.0, 1.0], 1.0, 0.9) if init is STARTS[2] else ([0.0, 0.0], 1.0, 0.5),
        ),
        judged("zero-start", learn_xor=lambda seed, init: ([0.0, 1.0], 1.0, 0.9)),
    ),
    "unstable": (
        judged(
            "unstable",
            chain=lambda w, b: [1e-6 if w < 2 else 512.0] * 10,
            ten_units=lambda seed, g, init: [{"xavier_normal": 1e-5, "he_normal": 1.0}.get(init, 1e3)] * 10,
        ),
        judged(
            "unstable",
            chain=lambda w, b: [1.0] * 10,
            ten_units=lambda seed, g, init: [1e-3 if init == "he_normal" else 1.0] * 10,
        ),
    ),
    "settling": (
        judged(
            "settling", two_examples=lambda rate, batch=False: {0.5: [0.5, 1.5], 0.05: [0.9, 1.1]}.get(rate, [1.0])
        ),
        judged("settling", two_examples=lambda rate, batch=False: [1.0, 1.0] if rate in (0.5, 0.05) else [0.5]),
    ),
    "batch-noise": (
        judged(
            "batch-noise", four_numbers=lambda m: (-1.5, 4.0 - m), network_noise=lambda seed: [1 / m for m in BATCHES]
        ),
        judged(
            "batch-noise",
            four_numbers=lambda m: (m, float(m)),
            network_noise=lambda seed: [float(m) for m in BATCHES],
        ),
    ),
    "architecture": (
        judged("architecture", mean_accuracies=accuracies(0.01)),
        judged("architecture", mean_accuracies=accuracies(-0.005)),
    ),
    "redundancy": (
        judged("redundancy", three_groups=groups(0.3, 0.1, 0.2)),
        judged("redundancy", three_groups=groups(0.1, 0.3, 0.2)),
    ),
    "ensemble": (
        judged("ensemble", one_unit=lambda: ([4.0, 6.0], 5.0), thinned=lambda seed: ([0.3, 0.5] * 32, 0.2, 0.2)),
        judged("ensemble", one_unit=lambda: ([4.0, 6.0], 0.0), thinned=lambda seed: ([0.3, 0.5] * 32, 0.2, 0.6)),
    ),
    "all-positive": (
        judged(
            "all-positive",
            sign_patterns=lambda seed: (
                [(1, 1, 1, 1), (-1,) * 4],
                [(1, 1, 1, 1), (1, -1, 1, 1), (-1, 1, 1, 1)],
                [(1,) * 4],
            ),
            zigzag_path=paths((1.0, -1.0), long=False),
        ),
        judged(
            "all-positive",
            sign_patterns=lambda seed: ([(1, -1, 1, 1)], [(1,) * 4], [(1, -1, 1, 1)]),
            zigzag_path=paths((1.0, -1.0), long=True),
        ),
    ),
    "bn-shift": (
        judged("bn-shift", drift=lambda seed, batch_norm: [0.0, 0.1 if batch_norm else 2.0]),
        judged("bn-shift", drift=lambda seed, batch_norm: [0.0, 2.0 if batch_norm else 0.1]),
    ),
    "bn-scale": (
        judged(
            "bn-scale",
            times_ten=lambda seed, batch_norm: (0.1, 1e-6, 1e-18) if batch_norm else (0.5, 1.0, 0.1),
            scaled_loss=lambda seed, factor, batch_norm: 0.2 if batch_norm else 0.2 + factor / 100.0,
        ),
        judged(
            "bn-scale",
            times_ten=lambda seed, batch_norm: (0.5, 1.0, 0.1) if batch_norm else (0.1, 1e-6, 1e-18),
            scaled_loss=lambda seed, factor, batch_norm: 0.2 + factor / 100.0 if batch_norm else 0.2,
        ),
    ),
    **{
        name: tuple(
            judged(
                name,
                mean_losses=lambda *numbers, batch_norm, better=better, **options: (
                    LOW if batch_norm == better else HIGH
                ),
            )
            for better in (True, False)
        )
        for name in ("bn-rates", "bn-saturating")
    },
    "bn-dropout": tuple(
        judged(
            "bn-dropout", few_examples=lambda seed, *kind, losses=losses: [0.1, losses[[*KINDS.values()].index(kind)]]
        )
        for losses in ((0.6, 0.4, 0.35, 0.34), (0.4, 0.45, 0.6, 0.4))
    ),
}


def test_every_claim_has_numbers_for_and_against_it():
    assert list(PAIRS) == list(CLAIMS)


@pytest.mark.parametrize("name", PAIRS)
def test_the_numbers_decide_the_verdict(name):
    for_it, against_it = PAIRS[name]
    assert (for_it.word, against_it.word) == ("borne out", "not borne out")
    assert for_it.verdict.startswith("borne out: ")
    assert against_it.verdict.startswith("not borne out: contradicted: ")
    assert any(digit.isdigit() for digit in against_it.verdict)


def test_a_verdict_in_between_names_what_fails_and_what_holds():
    found = judged(
        "unstable",
        chain=lambda w, b: [1e-6 if w < 2 else 512.0] * 10,
        ten_units=lambda seed, g, init: [1e3 if callable(init) else 1e-4] * 10,
    )
    assert found.word == "partly borne out"
    failing, holding = found.verdict.split("Confirmed: ")
    assert "He's weights" in failing and "w = 8: 512" in holding


@on_every_claim
def test_an_experiment_gives_numbers_that_its_seed_repeats_and_a_verdict_with_a_number(name):
    found = result(name)
    assert found.numbers and found.row in ("C2", "C4", "C5", "C6", "C7", "C9", "D2", "D3", "D4", "D8")
    assert found.word in ("borne out", "partly borne out", "not borne out")
    assert any(character.isdigit() for character in found.verdict)
    (again,) = run([name], 0)
    assert again == found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in SLOW] + ["bn-scale", "bn-saturating"])
def test_another_seed_gives_the_same_verdict(name):
    assert {CLAIMS[name](seed).word for seed in (1, 2)} == {result(name).word}


def test_another_seed_gives_other_numbers():
    assert CLAIMS["all-positive"](1) != result("all-positive")


def test_every_row_of_the_lecture_with_a_claim_has_an_experiment():
    rows = [PAIRS[name][0].row for name in CLAIMS]
    assert rows == sorted(rows) and {"C2", "C4", "C5", "C6", "C7", "C9", "D2", "D3", "D4", "D8"} == set(rows)


# ---- table, plots, command line ---------------------------------------------------------------------------------


def test_the_table_has_four_columns_in_a_hundred_and_every_word_of_the_verdicts():
    results = [found for pair in PAIRS.values() for found in pair]
    lines = table(results).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["claim", "row", "measured", "verdict"]
    last_column = " ".join(line[66:].strip() for line in lines if not line.startswith("─"))
    for found in results:
        assert found.verdict in last_column


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_table_and_listing_fit_the_terminal_and_lose_no_word(width):
    results = [found for pair in PAIRS.values() for found in pair]
    lines = table(results, width).splitlines()
    assert width - 3 <= max(map(len, lines)) <= width
    columns = [match.span() for match in re.finditer("─+", lines[1])]
    texts = [" ".join(line[a:b].strip() for line in lines if "─" not in line).split() for a, b in columns]
    for words, name in zip(texts, ("statement", "row", "measured", "verdict")):
        assert words[1:] == " ".join(getattr(found, name) for found in results).split()
    named = listing(width=width)
    assert max(map(len, named.splitlines())) <= width
    assert named.split() == listing(width=1000).split()


@pytest.mark.parametrize("name", PAIRS)
def test_a_plot_is_a_png_and_its_axes_and_lines_are_labelled(name, tmp_path):
    from matplotlib.figure import Figure

    found = PAIRS[name][0]
    found.plot(tmp_path / "plot.png")
    image = (tmp_path / "plot.png").read_bytes()
    assert image[:8] == b"\x89PNG\r\n\x1a\n" and len(image) > 5000
    axes = Figure().subplots()
    found.plot(axes)
    assert axes.get_ylabel() and (axes.get_xlabel() or [t.get_text() for t in axes.get_xticklabels()])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(labels) >= 2 and len(set(labels)) == len(labels)
    looks = [
        (line.get_marker(), line.get_linestyle(), line.get_linewidth())
        for line in axes.lines
        if line.get_label()[0] != "_"
    ]
    assert len(set(looks)) == len(looks)  # without colour, too


def test_names_that_are_no_claims_are_refused_before_anything_runs(refused):
    with pytest.raises(ValueError, match="unknown claim 'nonsense': choose from progress, zero-start"):
        run(["unstable", "nonsense"])
    for arguments in (["nonsense"], ["--seed", "x"], ["--what"]):
        line = refused(main, "claims", *arguments)
        assert line.startswith("nn: ") and line.endswith("(python -m nn claims --help)")


def test_the_command_lists_runs_and_draws(capsys, refused, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # which decides where lines break
    main(["claims", "--list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CLAIMS)
    main(["claims", "settling", "--list"])
    assert capsys.readouterr().out.startswith("settling ")
    assert "claim 'nothing'" in refused(main, "claims", "nothing", "--list")
    main(["claims", "settling", "--seed", "3", "--out", str(tmp_path / "plots")])
    out, err = capsys.readouterr()
    assert "partly borne out" in out.replace("\n", " ") and err == ""
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["settling.png"]


def test_a_folder_that_cannot_be_made_is_one_line_and_status_2(refused, tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(main, "claims", "settling", "--out", tmp_path / "file")
