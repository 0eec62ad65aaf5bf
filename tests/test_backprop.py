"""Tests of the matrix algorithm on plain arrays, the reference for scalar gradients, and of ``matrix_form``."""

import ast
import inspect
import re
from html.parser import HTMLParser
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from slides import A1, DELTA1, DELTA2, B, W, X, Y

import nn.backprop
from autograd.functions import softmax
from autograd.notation import number_text
from nn import (
    MLP,
    SGD,
    Linear,
    Module,
    ReLU,
    Sequential,
    Tanh,
    activations,
    back_propagate,
    half_squared_error,
    losses,
    matrix_form,
)
from nn.backprop import ACTIVATIONS, LOSSES

approx = lambda x: pytest.approx(np.array(x), rel=0, abs=1e-12)  # noqa: E731


@pytest.fixture
def run():
    return back_propagate(W, B, X, Y)


@pytest.fixture
def model():
    net = MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
    net.load_state_dict(
        {"net.layers.0.W": W[1], "net.layers.0.b": B[1], "net.layers.2.W": W[2], "net.layers.2.b": B[2]}
    )
    return net


def traced(model, x=X, y=Y, loss=half_squared_error):
    trace = model.trace(x)
    loss(trace.output, y).backward()
    return trace


# ---- the lecture's rows B1 to B10, on arrays ------------------------------------------------------------------


def test_b1_forward_gives_z_a_and_the_loss(run):
    assert run.a[0] == approx(X)
    assert run.z[1] == approx([-0.14, 0.53, -0.82])
    assert run.a[1] == approx(A1)
    assert run.z[2] == approx([0.14714074271810645, -0.06233818105829042])
    assert run.a[2] == approx([0.5367189612280203, 0.48442049963360606])
    assert run.loss == approx(0.22464627067545853)


def test_b2_delta_has_the_shape_of_z_and_a_and_is_dl_dz(run):
    assert [d.shape for d in run.delta[1:]] == [z.shape for z in run.z[1:]] == [a.shape for a in run.a[1:]]
    step = 1e-6
    for l, delta in enumerate(run.delta[1:], start=1):
        for j, delta_j in enumerate(delta):
            ends = []
            for sign in (1, -1):  # b shifts z by as much
                b = [None, *(np.array(b_l) for b_l in B[1:])]
                b[l][j] += sign * step
                ends.append(back_propagate(W, b, X, Y).loss)
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(delta_j, abs=1e-9)  # rounding 1e-16 / step


def test_b3_delta_of_the_output_is_a_minus_y_times_the_slope(run):
    assert run.delta[2] == approx(DELTA2)
    assert run.delta[2] == approx((run.a[2] - Y) * run.a[2] * (1 - run.a[2]))


def test_b4_a_weight_into_the_output_moves_one_z_only(run):
    W2 = np.array(W[2])
    W2[0, 1] += 0.1
    moved = back_propagate([None, W[1], W2], B, X, Y)
    assert moved.z[2][0] != run.z[2][0]
    assert moved.z[2][1] == run.z[2][1]


def test_b5_dw2_is_the_outer_product_of_rank_1(run):
    assert run.dW[2] == approx(
        [
            [-0.05357253863021529, -0.07251370123696783, -0.03522263625664442],
            [0.05626611179755504, 0.07615961694136616, 0.0369935948546444],
        ]
    )
    assert np.linalg.matrix_rank(run.dW[2]) == 1


def test_b6_db_is_delta(run):
    assert run.db[2] == approx(DELTA2)
    assert run.db[1] == approx(DELTA1)


def test_b7_delta_1_comes_from_delta_2_term_by_term(run):
    assert run.delta[1] == approx(DELTA1)
    terms = [DELTA2[j] * W[2][j][1] * A1[1] * (1 - A1[1]) for j in range(2)]
    assert terms == approx([0.02149404073763791, 0.00564368485257405])
    assert run.delta[1][1] == approx(sum(terms))


def test_b8_w_in_place_of_its_transpose_fails_on_its_shape():
    source = inspect.getsource(nn.backprop.backward)
    assert source.count("W[l].T") == 1
    planted = dict(vars(nn.backprop))
    exec(source.replace("W[l].T", "W[l]"), planted)
    arrays = [None, *map(np.array, W[1:])]
    g = [None, ACTIVATIONS["sigmoid"], ACTIVATIONS["sigmoid"]]
    z, a = nn.backprop.forward(arrays, [None, *map(np.array, B[1:])], X, g)
    assert len(list(nn.backprop.backward(arrays, z, a, g, a[2] - Y))) == 4
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        list(planted["backward"](arrays, z, a, g, a[2] - Y))


def test_b8_a_transposed_weight_matrix_fails_on_its_shape():
    with pytest.raises(ValueError, match=r"W2 has shape \(3, 2\).* is W transposed\?"):
        back_propagate([None, W[1], np.transpose(W[2])], B, X, Y)


def test_b9_layer_1(run):
    assert run.dW[1] == approx(np.outer(DELTA1, X))
    assert run.dW[1][0] == approx([-0.01153534603593663, 0.02307069207187325])
    assert run.db[1] == approx(DELTA1)


def test_b10_events_come_from_the_output_to_the_input(run):
    assert [(what, l) for what, l, _ in run.events] == [("δ", 2), ("W, b", 2), ("δ", 1), ("W, b", 1)]
    deep = back_propagate([None, *[np.eye(2)] * 4], [None, *[np.zeros(2)] * 4], X, Y, "tanh")
    assert [l for what, l, _ in deep.events if what == "δ"] == [4, 3, 2, 1]
    assert [what for what, _, _ in deep.events] == ["δ", "W, b"] * 4


def test_b10_one_step_gives_the_stated_loss(run):
    W_new = [None, *(W[l] - 0.5 * run.dW[l] for l in (1, 2))]
    b_new = [None, *(B[l] - 0.5 * run.db[l] for l in (1, 2))]
    assert back_propagate(W_new, b_new, X, Y).loss == approx(0.19926718446802955)


def test_b10_the_line_that_would_need_z0_gives_dl_da0(run):
    assert run.da0 == approx([0.02069036849247156, -0.03329657267757379])


def test_the_algorithm_imports_nothing_of_ours():
    tree = ast.parse(inspect.getsource(nn.backprop))
    froms = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert froms | plain == {"collections", "math", "typing", "numpy"}


# ---- its own calculus -----------------------------------------------------------------------------------------


def test_it_knows_every_activation_and_loss_of_the_package():
    assert sorted(ACTIVATIONS) == sorted(activations.BY_NAME)
    assert sorted(LOSSES) == sorted(losses.BY_NAME)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_slopes_of_activations_are_central_differences(name):
    z, h = np.array([-30.0, -3.0, -0.7, -0.01, 0.01, 0.4, 2.0, 30.0]), 1e-5
    g = ACTIVATIONS[name]
    # a central difference is off by h²/6 · |g‴| and by rounding / h, both below 1e-9 here
    assert g.slope(z) == pytest.approx((g.of(z + h) - g.of(z - h)) / (2 * h), rel=1e-9, abs=1e-9)


def test_the_slope_at_a_kink_is_the_packages():
    kink = np.zeros(1)
    assert (ACTIVATIONS["relu"].slope(kink), ACTIVATIONS["leaky_relu"].slope(kink)) == (0.0, 0.01)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_take_large_numbers(name):
    with np.errstate(all="raise", under="ignore"):
        both = ACTIVATIONS[name].of(np.array([-1e3, 1e3])), ACTIVATIONS[name].slope(np.array([-1e3, 1e3]))
    assert np.isfinite(both).all()


TARGETS = {
    "binary_cross_entropy": ([0.3], [0.0, 0.25, 1.0]),
    "cross_entropy": ([0.3, -1.2, 2.0], [0, 1, 2]),
    "half_squared_error": ([0.3, -1.2, 2.0], [[1.0, 0.0, -1.0]]),
    "hinge": ([0.3], [-1, 1]),
    "mean_squared_error": ([0.3, -1.2, 2.0], [[1.0, 0.0, -1.0]]),
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradients_of_losses_are_central_differences(name):
    outputs, targets = TARGETS[name]
    a, h = np.array(outputs), 1e-5
    for y in map(np.array, targets):
        slopes = [(LOSSES[name].of(a + e, y) - LOSSES[name].of(a - e, y)) / (2 * h) for e in h * np.eye(len(a))]
        assert LOSSES[name].gradient(a, y) == pytest.approx(np.array(slopes), rel=1e-9, abs=1e-9)


def test_a_satisfied_hinge_has_no_gradient():
    run = back_propagate([None, [[2.0]]], [None, [0.0]], [1.0], 1, "linear", "hinge")
    assert (run.loss, run.delta[1][0]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((W, [None, [0.01], [0.05, -0.05]], X, Y), r"W1 has shape \(3, 2\), b1 \(1,\)"),
        ((W, B, [0.5], Y), r"and a0 \(1,\)"),
        ((W, B[:2], X, Y), "W has 2 layers, but b has 1"),
        ((W[1:], B, X, Y), r"it must be a list \[None, W1"),
        ((W, B, X, [1.0]), r"outputs of shape \(2,\), but targets of shape \(1,\)"),
        ((W, B, X, Y, "swish"), "activation 'swish': choose one of elu, gelu"),
        ((W, B, X, Y, ["tanh", "tanh"]), "pass a name, or None followed by a name per layer"),
        ((W, B, X, Y, "tanh", "guess"), "loss 'guess': choose one of binary_cross_entropy"),
        ((W, B, X, -1, "tanh", "cross_entropy"), "label -1 is out of range: 2 output units have the labels 0 … 1"),
        ((W, B, X, 1, "tanh", "hinge"), "hinge got 2 output units: it needs one"),
    ],
)
def test_errors_name_the_value_and_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        back_propagate(*arguments)


# ---- arrays, matrices of the trace and scalars agree ----------------------------------------------------------


def random_problem(seed):
    """An MLP of one to five layers with one example and a loss, all from the seed."""
    rng = Random(seed)
    loss = rng.choice(sorted(LOSSES))
    sizes = [rng.randint(1, 6) for _ in range(rng.randint(1, 5) + 1)]
    outputs, targets = TARGETS[loss]
    if len(outputs) == 1:
        sizes[-1] = 1
    if loss == "cross_entropy":  # of one unit it is always 0, and refused
        sizes[-1] += 1
    hidden, output = rng.choice(sorted(ACTIVATIONS)), rng.choice(sorted(ACTIVATIONS))
    model = MLP(sizes[0], sizes[1:], hidden, output, rng=rng)
    for p in model.parameters():
        p.data += rng.gauss(0, 0.3)
    x = [rng.gauss(0, 1) for _ in range(sizes[0])]
    y = {"binary_cross_entropy": rng.random(), "cross_entropy": rng.randrange(sizes[-1])}.get(
        loss, rng.choice(targets) if len(outputs) == 1 else [rng.gauss(0, 1) for _ in range(sizes[-1])]
    )
    return model, x, y, [None, *[hidden] * (len(sizes) - 2), output], loss


def layers_of(model):
    return [layer for layer in model.net.layers if isinstance(layer, Linear)]


def close(actual, expected):
    # three orders of adding up the same products: rounding, in proportion to the largest number of the array
    expected = np.array(expected)
    assert actual.shape == expected.shape
    assert actual == pytest.approx(expected, rel=0, abs=1e-12 * np.abs(expected).max() + 1e-300)


@pytest.mark.parametrize("block", range(10))
def test_arrays_matrices_and_scalars_agree_on_200_random_networks(block):
    for seed in range(20 * block, 20 * block + 20):
        model, x, y, g, loss = random_problem(seed)
        trace = model.trace(x)
        L = losses.BY_NAME[loss](trace.output, y)
        L.backward()
        form, linear = matrix_form(trace), layers_of(model)
        parameters = [[None, *([[p.data for p in row] for row in layer.W] for layer in linear)]]
        parameters += [[None, *([p.data for p in layer.b] for layer in linear)]]
        run = back_propagate(*parameters, x, y, g, loss)
        close(np.array(run.loss), L.data)
        close(run.da0, [a_k.grad for a_k in trace.a[0]])
        for l, layer in enumerate(linear, start=1):
            scalars = {
                "z": [z_j.data for z_j in trace.z[l]],
                "a": [a_j.data for a_j in trace.a[l]],
                "delta": trace.delta[l],
                "dW": [[w.grad for w in row] for row in layer.W],
                "db": [b_j.grad for b_j in layer.b],
            }
            for quantity, expected in scalars.items():
                close(getattr(run, quantity)[l], expected)
                close(getattr(form.layers[l], quantity), expected)
            close(form.layers[l].delta_from_above, trace.delta[l])
            close(form.layers[l].slope, ACTIVATIONS[g[l]].slope(run.z[l]))
        assert form.notes == [], seed


# ---- matrix_form ----------------------------------------------------------------------------------------------

TEXT = """\
Back propagation in matrices: 2 → 3 → 2 units, δ¹ ← δ² ← L

Layer 2, 3 → 2 units: z² = W² a¹ + b², ∂L/∂b² = δ²; largest difference 0
  z²          a²        g′(z²)    ∇ₐ L       ∇ₐ L ⊙ g′(z²)  δ² = z.grad  b.grad
  ⎡ 0.1471 ⎤  ⎡0.5367⎤  ⎡0.2487⎤  ⎡−0.4633⎤  ⎡−0.1152⎤      ⎡−0.1152⎤    ⎡−0.1152⎤
  ⎣−0.06234⎦  ⎣0.4844⎦  ⎣0.2498⎦  ⎣ 0.4844⎦  ⎣ 0.121 ⎦      ⎣ 0.121 ⎦    ⎣ 0.121 ⎦
  W²                ∂L/∂W² = δ² (a¹)ᵀ             w.grad
  ⎡ 0.7 −0.8  0.9⎤  ⎡−0.05357 −0.07251 −0.03522⎤  ⎡−0.05357 −0.07251 −0.03522⎤
  ⎣−0.1  0.2 −0.3⎦  ⎣ 0.05627  0.07616  0.03699⎦  ⎣ 0.05627  0.07616  0.03699⎦

Layer 1, 2 → 3 units: z¹ = W¹ a⁰ + b¹, ∂L/∂b¹ = δ¹; largest difference 0
  z¹       a¹        g′(z¹)    (W²)ᵀ δ²    (W²)ᵀ δ² ⊙ g′(z¹)  δ¹ = z.grad  b.grad
  ⎡−0.14⎤  ⎡0.4651⎤  ⎡0.2488⎤  ⎡−0.09274⎤  ⎡−0.02307⎤         ⎡−0.02307⎤   ⎡−0.02307⎤
  ⎢ 0.53⎥  ⎢0.6295⎥  ⎢0.2332⎥  ⎢ 0.1164 ⎥  ⎢ 0.02714⎥         ⎢ 0.02714⎥   ⎢ 0.02714⎥
  ⎣−0.82⎦  ⎣0.3058⎦  ⎣0.2123⎦  ⎣−0.14   ⎦  ⎣−0.02971⎦         ⎣−0.02971⎦   ⎣−0.02971⎦
  W¹           ∂L/∂W¹ = δ¹ (a⁰)ᵀ    w.grad
  ⎡ 0.1  0.2⎤  ⎡−0.01154  0.02307⎤  ⎡−0.01154  0.02307⎤
  ⎢ 0.3 −0.4⎥  ⎢ 0.01357 −0.02714⎥  ⎢ 0.01357 −0.02714⎥
  ⎣−0.5  0.6⎦  ⎣−0.01486  0.02971⎦  ⎣−0.01486  0.02971⎦

Matrices and scalars: largest difference 0."""


def test_the_lectures_net_prints_as_stored(model):
    text = str(matrix_form(traced(model)))
    # which product is rounded first is NumPy's affair, so the last bit may differ from machine to machine
    assert re.sub(r"difference [\d.]+e−1\d( \(rounding\))?", "difference 0", text) == TEXT


def test_delta_before_backward_is_the_error_of_the_trace(model):
    trace = model.trace(X)
    with pytest.raises(RuntimeError) as of_trace:
        _ = trace.delta
    with pytest.raises(RuntimeError, match="backward") as of_form:
        matrix_form(trace)
    assert str(of_form.value) == str(of_trace.value)


def test_what_is_no_trace_or_has_no_linear_layer_is_an_error(model):
    with pytest.raises(TypeError, match=r"matrix_form needs the result of model.trace\(x\), not MLP"):
        matrix_form(model)
    with pytest.raises(ValueError, match="contains no Linear layer"):
        matrix_form(Sequential(Tanh()).trace([1.0]))
    trace = traced(model)
    trace.z[2][1] = trace.a[2][1]
    with pytest.raises(ValueError, match=r"a²_2 was computed by sigmoid: it must be computed by affine"):
        matrix_form(trace)


def test_a_grad_changed_by_one_percent_is_shown(model):
    trace = traced(model)
    w = model.net.layers[2].W[0][1]
    w.grad *= 1.01
    form = matrix_form(trace)
    assert form.largest_difference == form.layers[2].largest_difference == pytest.approx(0.0007251370123696783)
    assert form.layers[1].largest_difference < 1e-15
    [note] = form.notes
    assert note.startswith(
        "The grad of w²_12 is −0.0732388, but the matrix has −0.0725137. Likely causes: an earlier"
    )
    assert "difference 0.00073" in str(form)


def test_a_delta_that_the_formula_does_not_give_is_shown(model):
    trace = traced(model)
    trace.z[1][0].grad *= 1.01
    form = matrix_form(trace)
    assert form.layers[1].largest_difference > 1e-4
    assert form.notes[0].startswith("The grad of z¹_1 is −0.0233014, but (W²)ᵀ δ² ⊙ g′(z¹) is −0.0230707")


@pytest.mark.parametrize("times", [2, 3])
def test_several_backward_passes_without_zero_grad_are_named(model, times):
    trace = model.trace(X)
    loss = half_squared_error(trace.output, Y)
    for _ in range(times):
        loss.backward()
    form = matrix_form(trace)
    assert form.layers[2].W_grad == approx(times * form.layers[2].dW)
    assert form.largest_difference == pytest.approx((times - 1) * max(DELTA2))
    [note] = form.notes
    assert note.startswith(
        f"w.grad and b.grad are {times} times δ aᵀ and δ: backward() has probably run {times} times"
    )


def test_zero_grad_after_backward_is_named(model):
    trace = traced(model)
    model.zero_grad()
    assert matrix_form(trace).notes == ["Every w.grad and b.grad is 0: zero_grad() has run since backward()."]


def test_another_examples_gradient_in_w_grad_is_named(model):
    traced(model, x=[1.0, 1.0])
    [note] = matrix_form(traced(model)).notes
    assert "an earlier backward() without zero_grad()" in note


def test_a_penalty_on_weights_and_a_loss_that_reads_a_hidden_layer_are_named(model):
    trace = model.trace(X)
    w, a = model.net.layers[0].W[0][0], trace.a[1][1]
    (half_squared_error(trace.output, Y) + 0.1 * w * w + 0.1 * a * a).backward()
    other_path, penalty = matrix_form(trace).notes
    assert other_path.startswith("The grad of z¹_2 is")
    assert "another path" in other_path
    assert penalty.startswith("The grad of w¹_11 is")


def test_parameters_that_changed_since_are_named_and_w_is_that_of_the_forward_pass(model):
    trace = traced(model)
    SGD(model.parameters(), learning_rate=0.5).step()
    form = matrix_form(trace)
    assert approx(W[1]) == form.layers[1].W
    assert form.largest_difference < 1e-15
    [note] = form.notes
    assert note.startswith("w¹_11 and 16 more changed since L was computed: run the forward pass again.")


def test_a_bias_that_changed_since_is_named(model):
    trace = traced(model)
    model.net.layers[2].b[1].data += 1.0
    assert matrix_form(trace).notes[0].startswith("b²_2 changed since L was computed")


def test_a_layer_used_twice_is_compared_with_its_sum():
    shared = Linear(2, 2, rng=Random(1))
    form = matrix_form(traced(Sequential(shared, Tanh(), shared)))
    assert form.largest_difference < 1e-15
    assert form.layers[1].W_grad == approx(form.layers[1].dW + form.layers[2].dW)
    assert form.notes == ["w²_11 is used in 2 places: its grad is compared with the sum over all of them."]


def test_two_linear_layers_in_a_row_have_slope_1_between():
    model = Sequential(Linear(2, 3, rng=Random(1)), Linear(3, 3, rng=Random(2)), ReLU(), Linear(3, 2, rng=Random(3)))
    form = matrix_form(traced(model))
    assert form.layers[1].slope.tolist() == [1.0, 1.0, 1.0]
    assert (list(form.layers), form.notes) == ([1, 2, 3], [])
    assert form.largest_difference < 1e-15


def test_several_activations_in_a_row_multiply_their_slopes():
    model = Sequential(Linear(2, 2, rng=Random(1)), Tanh(), Tanh(), Linear(2, 2, rng=Random(2)))
    form = matrix_form(traced(model))
    a = np.tanh(form.layers[1].z)
    assert form.layers[1].slope == approx((1 - np.tanh(a) ** 2) * (1 - a**2))
    assert form.notes == []


class Softmax(Module):
    def forward(self, x):
        return softmax(x)


class SumsOfNeighbours(Module):
    def forward(self, x):
        return [x_1 + x_2 for x_1, x_2 in pairwise(x)]


@pytest.mark.parametrize("mixing", [Softmax, SumsOfNeighbours])
def test_delta_stands_as_read_where_units_are_mixed(mixing):
    # δ is a grad of the graph there; the formulas for W and b hold all the same, and those of the layers below
    first, n = Linear(2, 3, rng=Random(1)), 2 if mixing is SumsOfNeighbours else 3
    form = matrix_form(traced(Sequential(first, mixing(), Linear(n, 2, rng=Random(2)))))
    assert form.layers[1].delta_from_above is None
    assert form.largest_difference < 1e-15
    assert form.notes == [
        "δ¹ is read from the nodes and not computed as a product with g′(z¹): each a¹ depends on several z¹."
    ]
    text = str(form)
    assert max(map(len, text.splitlines())) <= 100
    assert all(re.search(rf"{number_text(x, 4)} *[⎥⎤⎦]", text) for x in form.layers[1].z)


def test_delta_stands_as_read_where_the_loss_reads_z(model):
    trace = model.trace(X)
    losses.cross_entropy(trace.z[2], 1).backward()
    form = matrix_form(trace)
    assert form.layers[2].delta_from_above is None
    assert (form.largest_difference, len(form.notes)) == (pytest.approx(0, abs=1e-15), 1)
    assert "the loss does not read a²" in form.notes[0]


def test_logits_under_cross_entropy_have_delta_softmax_minus_y():
    form = matrix_form(traced(MLP(2, [4, 3], "relu", rng=Random(4)), y=2, loss=losses.cross_entropy))
    e = np.exp(form.layers[2].z)
    assert form.layers[2].delta == approx(e / e.sum() - [0, 0, 1])
    assert form.notes == []


def test_a_large_network_prints_60_short_lines():
    rng = Random(0)
    model = MLP(784, [50, 10], rng=rng)
    trace = traced(model, [rng.random() for _ in range(784)], 3, losses.cross_entropy)
    form = matrix_form(trace)
    lines = str(form).splitlines()
    html, latex = form._repr_html_(), form._repr_latex_()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert "⋱" in str(form)
    assert max(len(html), len(latex)) < 50_000
    assert form.layers[1].dW.shape == (50, 784)
    SGD(model.parameters(), learning_rate=0.5).step()
    [note] = matrix_form(trace).notes  # which must not try one operand of 784 after the other
    assert re.match(r"w¹_\d+ and \d+ more changed since L was computed", note)


def test_the_two_digits_of_layer_12_are_one_exponent_in_latex():
    latex = matrix_form(traced(MLP(2, [2] * 12, rng=Random(0))))._repr_latex_()
    assert "z^{12} = " in latex and "W^{12}" in latex
    assert "^{1}^{2}" not in latex


def test_very_small_and_very_large_numbers_keep_their_digits(model):
    for p in model.parameters():
        p.data *= 1e-5
    text = str(matrix_form(traced(model, y=[1e6, 0.0])))
    assert "−2.5e5" in text  # δ² = (a − 10⁶) · ¼
    assert max(map(len, text.splitlines())) <= 100


HOSTILE = ["</p><script>alert(1)</script>", "$$\\end{aligned}\\href{x}{y}", "a\nb\x1b[31m", "#%&~^_{}", "w" * 500]


@pytest.fixture(params=HOSTILE)
def hostile(request, model):
    model.net.layers[0].W[0][0].name = request.param
    trace = traced(model)
    model.net.layers[0].W[0][0].grad = 1.0
    return matrix_form(trace)


def test_hostile_names_stay_one_line_of_text(hostile):
    lines = str(hostile).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.open, self.seen, self.text = [], set(), ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_hostile_names_are_text_in_html(hostile):
    page = Tags(hostile._repr_html_())
    math = {"math", "mfrac", "mi", "mn", "mo", "mrow", "mstyle", "msub", "msup", "mtable", "mtd", "mtext", "mtr"}
    assert page.open == [] and page.seen == {"div", "p", "pre", "style", *math}
    assert hostile.notes[0] in page.text


# what the formulas are made of; KaTeX knows every one of them
COMMANDS = {
    "backslash", "begin", "cdot", "cdots", "ddots", "delta", "dots", "end", "gt", "hat", "lt", "nabla", "odot",
    "partial", "prime", "quad", "sim", "text", "texttt", "to", "vdots",
}  # fmt: skip


def test_hostile_names_are_text_in_latex(hostile):
    latex = hostile._repr_latex_()
    assert set(re.findall(r"\\([A-Za-z]+)", latex)) <= COMMANDS
    assert set(re.findall(r"\\(?:begin|end){(\w+)}", latex)) == {"aligned", "pmatrix"}
    body = re.sub(r"\\[^A-Za-z]", "", latex)  # without escaped characters
    assert body.count("$") == 4
    assert body.count("{") == body.count("}")
    assert not {"#", "%", "~", "<", ">"} & set(body)


def test_latex_is_ascii_for_the_packages_own_names(model):
    trace = traced(model)
    trace.z[1][0].grad = 1.0
    assert matrix_form(trace)._repr_latex_().isascii()


def test_html_is_self_contained_and_shows_gradients_and_values_in_their_colours(model):
    html = matrix_form(traced(model))._repr_html_()
    assert not re.search(r"https?:|url\(|<script", html)
    body = html.partition('<div hidden="hidden">')[2]
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb|\sstyle=", body)
    assert re.search(r'class="gradient"><mtable><mtr><mtd><mn>−0.02307', body)
    assert re.search(r'class="value"><mtable><mtr><mtd><mn>0.4651', body)
    assert "<msub><mi>∇</mi><mi>a</mi></msub><mi>L</mi>" in body and "-" not in re.sub("<[^>]*>", "", body)


def test_html_shows_the_scalars_where_they_differ_from_the_matrices(model):
    trace = traced(model)
    assert "✓ agrees with z.grad" in matrix_form(trace)._repr_html_()
    trace.z[2][0].parents[0].grad = 7.0
    html = matrix_form(trace)._repr_html_()
    assert "✗ disagrees with z.grad" in html and re.search(r"<mtext>w.grad</mtext>.*<mn>7", html)


def test_delta_of_an_output_that_the_loss_does_not_use_is_zero():
    trace = MLP(2, [3, 2], rng=Random(0)).trace([0.5, -1.0])
    trace.output[0].backward()
    assert trace.delta[2] == [1.0, 0.0]
