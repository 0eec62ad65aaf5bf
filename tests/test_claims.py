"""Each claim of the lecture: its experiment's numbers against the slides, and a verdict that the numbers can turn."""

import re
from functools import cache
from math import comb, exp
from statistics import fmean, pvariance

import pytest

from nn.cli.commands import main
from nn.lecture.claims import CLAIMS, listing, run, table
from nn.lecture.claims.batch_norm_claims import (
    RATES as BN_RATES,
    SCALES,
    higher_rates_result,
    less_dropout_result,
    saturating_result,
    scale_result,
    shift_result,
)
from nn.lecture.claims.descent_claims import all_positive_result, batch_noise_result, progress_result, settling_result
from nn.lecture.claims.dropout_claims import UNITS, ensemble_result, redundancy_result
from nn.lecture.claims.network_claims import DEPTHS, WIDTHS, architecture_result, unstable_result, zero_start_result

SLOW = {"architecture", "bn-dropout", "bn-rates", "bn-saturating", "bn-scale", "progress", "redundancy"}
on_every_claim = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CLAIMS]
)


@cache
def result(name):
    return CLAIMS[name](0)


# ---- the numbers ------------------------------------------------------------------------------------------------


def test_c5_ten_sigmoid_layers_of_one_unit_give_the_slides_numbers():
    found = result("unstable")
    # σ(0) = ½ at every layer, so each step back multiplies by w σ′ = w/4; nine roundings of 1e-16 each
    assert found.vanishing == pytest.approx([0.25 ** (10 - l) for l in range(1, 11)], rel=1e-13)
    assert found.exploding == pytest.approx([2.0 ** (10 - l) for l in range(1, 11)], rel=1e-13)
    assert (found.vanishing[0], found.exploding[0]) == (3.814697265625e-06, 512.0)
    assert found.word == "borne out"


def test_c6_two_examples_cycle_at_a_constant_rate_and_one_over_t_is_their_mean():
    found = result("settling")
    assert found.constant[-2:] == pytest.approx([2 / 3, 4 / 3], rel=1e-12)  # what is left of the start is 2⁻²⁰⁰
    # with η_t = 1/t w is the mean of the examples met: 1 after each epoch, (t − 1)/t in between; rounding adds up
    assert found.inverse[1:] == pytest.approx([1.0 if t % 2 == 0 else (t - 1) / t for t in range(1, 201)], abs=1e-12)
    assert found.batch[1:] == [1.0] * 200
    # w − 1 after all of η = .5 · .5ᵗ, by multiplying out (1 − η) w + η x
    w = 3.0
    for t in range(200):
        w = (1.0 - 0.5 ** (t + 1)) * w + 0.5 ** (t + 1) * (2.0 if t % 2 else 0.0)
    assert found.hasty[-1] == pytest.approx(w, abs=1e-12)
    assert found.word == "partly borne out"  # a rate that decays too fast stops short


def test_c7_the_variance_over_all_batches_of_four_numbers_is_the_slides():
    found = result("batch-noise")
    # without replacement: σ²/m (N − m)/(N − 1) with σ² = 1.25, N = 4
    population = pvariance([0.0, 1.0, 2.0, 3.0])
    assert found.variances == pytest.approx([population / m * (4 - m) / 3 for m in (1, 2, 3, 4)], abs=1e-15)
    assert found.means == pytest.approx([-1.5] * 4, abs=1e-15)
    # 200 random batches estimate a variance to about a tenth; 25 % is more than two of those
    for m, noise in zip(found.sizes, found.noise):
        assert noise == pytest.approx(found.noise[0] / m * (100 - m) / 99, rel=0.25)


@pytest.mark.slow
def test_c2_nothing_moves_before_the_whole_batch_has_been_seen_and_small_batches_have_gained():
    found = result("progress")
    one, some, whole = found.losses
    assert len(found.evaluations) == len(one) == len(some) == len(whole) == 51
    assert whole[:10] == [whole[0]] * 10 and whole[10] != whole[0]
    assert one[0] == some[0] == whole[0]
    assert found.difference < 1e-15 * 10  # gradients of order 1, a mean of a hundred of them
    assert found.word == "borne out"


def test_c4_units_that_start_alike_stay_alike_to_the_last_bit_and_learn_a_line_at_most():
    found = result("zero-start")
    assert [max(apart) for apart in found.apart[:2]] == [0.0, 0.0]
    assert min(found.moved) > 0.1 and min(found.apart[2]) > 0.1
    # xor's classes lie in opposite quarters: a line has at most three quarters of them right
    assert max(found.accuracy[:2]) <= 0.8 < found.accuracy[2]


@pytest.mark.slow
def test_d2_networks_of_the_same_loss_miss_single_units_more_where_none_was_dropped():
    found = result("redundancy")
    for networks in (found.without, found.dropped, found.stopped):
        assert [len(rises) for rises in networks] == [UNITS] * 3
        assert all(rises == sorted(rises, reverse=True) for rises in networks)
    assert found.loss_without < found.loss_dropped  # so a control of the same loss is needed
    worst = [fmean(rises[0] for rises in networks) for networks in (found.dropped, found.stopped)]
    assert 1.5 * worst[0] < worst[1] and found.word == "borne out"


@pytest.mark.slow
def test_c9_accuracies_are_shares_of_the_examples():
    found = result("architecture")
    for shares, n in ((found.training, 200), (found.held_back, 400)):  # two networks' examples
        assert all(
            0.4 <= share <= 1.0 and abs(share * n - round(share * n)) < 1e-9 for row in shares for share in row
        )


def test_d3_all_masks_of_a_linear_unit_give_the_slides_numbers():
    found = result("ensemble")
    assert found.outputs == [0.0, 12.0, -4.0, 8.0, 2.0, 14.0, -2.0, 10.0]
    assert fmean(found.outputs) == found.evaluated == 5.0
    assert found.arithmetic == pytest.approx(0.6896998107825366, rel=1e-14)
    assert found.geometric == pytest.approx(0.9933071490756142, rel=1e-14)
    assert found.sigma == pytest.approx(1.0 / (1.0 + exp(-5.0)), rel=1e-14)
    assert len(found.members) == sum(comb(6, k) for k in range(7))
    # −log is convex: the loss of the mean output is at most the mean of the losses
    assert found.average <= fmean(found.members)
    assert found.word == "partly borne out"


def test_d4_one_positive_example_has_two_sign_patterns_and_a_batch_breaks_it():
    found = result("all-positive")
    assert (found.positive, found.against_delta) == (2, 0)
    assert 2 < found.centred <= 8 and found.mixed > 0.0
    # every step of the zigzag moves both weights the same way, or neither
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(found.zigzag, found.zigzag[1:])]
    assert len(steps) == 60 and all(d1 * d2 >= 0.0 for d1, d2 in steps)
    straight = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(found.straight, found.straight[1:])]
    assert any(d1 * d2 < 0.0 for d1, d2 in straight)


def test_d8_ten_times_the_weights_give_a_tenth_of_the_gradient_and_the_bias_none():
    found = result("bn-scale")
    assert found.ratio[1] == pytest.approx(0.1, rel=1e-3)  # not exact: ε = 1e-5 beside a variance of order 1
    assert found.output[1] < 1e-3 and found.output[0] > 0.1
    assert found.bias < 1e-15
    assert abs(found.ratio[0] - 0.1) > 0.01  # without it there is no such law


def test_d8_a_mean_that_beta_alone_can_move_drifts_less():
    found = result("bn-shift")
    plain, normalised = found.moved
    assert plain[0] == normalised[0] == 0.0
    assert max(normalised) < max(plain)


# ---- the verdicts -----------------------------------------------------------------------------------------------

N_EVALUATIONS = list(range(0, 101, 10))
FALLING, STILL = [0.6 - 0.05 * k for k in range(11)], [0.6] * 11
NEVER = [0.6] * len(BN_RATES)
PAIRS = {
    "progress": (
        progress_result(N_EVALUATIONS, [FALLING, FALLING, [*STILL[:10], 0.3]], [1.0] * 3, 1e-16),
        progress_result(N_EVALUATIONS, [STILL, STILL, FALLING], [1.0] * 3, 0.1),
    ),
    "zero-start": (
        zero_start_result(["0", ".1", "random"], [[0.0], [0.0], [1.0]], [1.0] * 3, [0.5, 0.5, 0.9]),
        zero_start_result(["0", ".1", "random"], [[1.0], [1.0], [1.0]], [1.0] * 3, [0.9, 0.9, 0.9]),
    ),
    "unstable": (
        unstable_result([1e-6], [512.0], [1e-5], [1e3], [1.0]),
        unstable_result([1.0], [1.0], [1.0], [1.0], [1e-3]),
    ),
    "settling": (
        settling_result([0.5, 1.5], [0.9, 1.1], [1.0], [1.0], [1.0]),
        settling_result([1.0, 1.0], [1.0, 1.0], [0.5], [0.5], [1.0]),
    ),
    "batch-noise": (
        batch_noise_result([-1.5] * 4, [1.2, 0.4, 0.1, 0.0], [1, 10], [1.0, 0.1]),
        batch_noise_result([-1.5, 0.0, 1.0, 2.0], [0.0, 0.1, 0.4, 1.2], [1, 10], [0.1, 1.0]),
    ),
    "architecture": (
        architecture_result(
            [[0.5, 0.6, 0.7], [0.6, 0.7, 0.8], [0.7, 0.8, 0.9]], [[0.5, 0.6, 0.7]] * 2 + [[0.6, 0.7, 0.8]]
        ),
        architecture_result(
            [[0.9, 0.8, 0.7], [0.8, 0.7, 0.6], [0.7, 0.6, 0.5]], [[0.8, 0.7, 0.6]] * 2 + [[0.7, 0.6, 0.5]]
        ),
    ),
    "redundancy": (
        redundancy_result([[0.3] * UNITS], [[0.1] * UNITS], [[0.2] * UNITS], 0.1, 0.1),
        redundancy_result([[0.1] * UNITS], [[0.3] * UNITS], [[0.2] * UNITS], 0.1, 0.1),
    ),
    "ensemble": (
        ensemble_result([4.0, 6.0], 5.0, 0.99, 0.99, 0.99, [0.3, 0.5], 0.2, 0.2),
        ensemble_result([4.0, 6.0], 4.0, 0.5, 0.6, 0.99, [0.3, 0.5], 0.2, 0.6),
    ),
    "all-positive": (
        all_positive_result(2, 8, 0, 0.0, [(0.0, 0.0), (1.0, 1.0), (0.5, -0.5)], [(0.0, 0.0), (1.0, -1.0)]),
        all_positive_result(8, 2, 3, 0.5, [(0.0, 0.0), (1.0, -1.0)], [(0.0, 0.0), (1.0, 1.0), (0.5, -0.5)]),
    ),
    "bn-shift": (shift_result(([0.0, 2.0], [0.0, 0.1])), shift_result(([0.0, 0.1], [0.0, 2.0]))),
    "bn-scale": (
        scale_result((0.5, 0.1), (1.0, 1e-6), 1e-18, ([0.2, 0.9], [0.2, 0.3])),
        scale_result((0.1, 0.5), (1e-6, 1.0), 0.1, ([0.2, 0.3], [0.2, 0.9])),
    ),
    "bn-rates": (
        higher_rates_result((NEVER, [0.1] * len(BN_RATES))),
        higher_rates_result(([0.1] * len(BN_RATES), NEVER)),
    ),
    "bn-saturating": (saturating_result(([0.7, 0.7], [0.6, 0.1])), saturating_result(([0.7, 0.1], [0.7, 0.7]))),
    "bn-dropout": (
        less_dropout_result(["a", "b", "c", "d"], [0.1] * 4, [0.6, 0.4, 0.35, 0.34]),
        less_dropout_result(["a", "b", "c", "d"], [0.1] * 4, [0.4, 0.45, 0.6, 0.4]),
    ),
}


def test_every_claim_has_numbers_for_and_against_it():
    assert list(PAIRS) == list(CLAIMS)


@pytest.mark.parametrize("name", PAIRS)
def test_the_numbers_decide_the_verdict(name):
    for_it, against_it = PAIRS[name]
    assert (for_it.word, against_it.word) == ("borne out", "not borne out")
    assert for_it.verdict.startswith("borne out: ")
    assert against_it.verdict.startswith("not borne out: not as said: ")
    assert any(digit.isdigit() for digit in against_it.verdict)


def test_a_verdict_in_between_names_what_fails_and_what_holds():
    found = unstable_result([1e-6], [512.0], [1e-5], [1e3], he=[1e-4])
    assert found.word == "partly borne out"
    failing, holding = found.verdict.split("As said: ")
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


def full_size(name):
    """Numbers of the shapes that the experiment makes, for those of the pairs that are shorter."""
    sizes = {
        "unstable": unstable_result(*[[2.0**-l for l in range(10)]] * 5),
        "architecture": architecture_result(*[[[0.5] * len(WIDTHS)] * len(DEPTHS)] * 2),
        "bn-scale": scale_result((1.0, 0.1), (1.0, 0.0), 0.0, ([0.5] * len(SCALES), [0.4] * len(SCALES))),
    }
    return sizes.get(name, PAIRS[name][0])


@pytest.mark.parametrize("name", PAIRS)
def test_a_plot_is_a_png_and_its_axes_and_lines_are_labelled(name, tmp_path):
    from matplotlib.figure import Figure

    found = full_size(name)
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
    with pytest.raises(ValueError, match="claim 'nonsense': there are progress, zero-start"):
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
