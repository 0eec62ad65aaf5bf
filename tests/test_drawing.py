"""Tests of drawings in every format: complete content, harmless names, and readable large graphs."""

import re
from io import BytesIO
from itertools import combinations
from random import Random
from xml.etree import ElementTree

import pytest
from conftest import printed
from slides import net_232, xyz

from autograd import Value, affine, dot, explain, mean, named, product, sigmoid, sin, sqrt, sum as summed
from autograd.colours import DARK, LIGHT
from autograd.drawing import Diagram, Unit, diagram_of, draw, draw_dot, raster
from autograd.drawing.display_graph import display, folded, highlighted
from autograd.drawing.figure import ARROW, INDEXED, text_width
from autograd.drawing.formats import mermaid_text
from autograd.drawing.raster import png
from autograd.graph import topological_order
from autograd.table import TABLE
from nn import MLP, BatchNorm, binary_cross_entropy, half_squared_error
from nn.diagram import model_diagram, trace_diagram
from nn.losses import mean_loss
from nn.module import Trace

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<b>", '"', "'", "\\", "two\nlines", "a|b", "{x}", "]]>", "-->", "é", "</script><script>alert(1)</script>",
    "L" * 10_000, "\u202eabc", "שלום", "`code`", "```", "#;quot", "&amp;", "漢字", "$x$", "end", "a\0b", "\ud800x",
    "%s", "<i>x</i>", "javascript:alert(1)", "𝒘",
]  # fmt: skip


def lecture_net():
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=Random(0))
    model.load_state_dict(
        {
            "net.layers.0.W": [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]],
            "net.layers.0.b": [0.01, -0.02, 0.03],
            "net.layers.2.W": [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]],
            "net.layers.2.b": [0.05, -0.05],
        }
    )
    trace = model.trace([0.5, -1.0])
    return model, trace, named(L=half_squared_error(trace.output, [1.0, 0.0]))


def batch_loss(examples=100, sizes=(16, 16, 1)):
    rng = Random(1)
    model = MLP(2, list(sizes), rng=Random(0))
    X = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(examples)]
    loss = mean_loss(binary_cross_entropy, model.batch(X), [i % 2 for i in range(examples)])
    loss.backward()
    return model, loss


def random_graph(operations, seed):
    rng = Random(seed)
    values = [Value(rng.uniform(-1, 1), f"x{i}") for i in range(3)]
    for _ in range(operations):
        x, y = rng.choice(values[-6:]), rng.choice(values[-6:])
        values.append(rng.choice([lambda: x + y, lambda: x * y, lambda: x - y, lambda: sin(x), lambda: x * x])())  # noqa: B023
    return values[:3], values[-1]


def words(drawing):
    """The text of each node and group, and of all that the SVG says."""
    root = ElementTree.fromstring(drawing.svg.replace("\xa0", " "))
    nodes = [
        " ".join("".join(t.itertext()) for t in g.iter(f"{SVG}text")).strip()
        for g in root.iter(f"{SVG}g")
        if "data-node" in g.attrib or "group" in g.get("class", "")
    ]
    return nodes, " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text"))


def between(drawing, what):
    """One of a wire's attributes by the names of the boxes at its ends."""
    return {(wire.tail.key, wire.head.key): getattr(wire, what) for wire in drawing.figure.wires}


def rectangles(drawing):
    return [
        (x - box.width / 2, y - box.height / 2, x + box.width / 2, y + box.height / 2)
        for box, (x, y) in zip(drawing.figure.boxes, drawing.placement.centres)
    ]


def points_along(route, steps=24):
    """Points on a wire's Bézier curve."""
    for i in range(0, len(route.points) - 1, 3):
        p = route.points[i : i + 4]
        for k in range(steps + 1):
            t = k / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(sum(w * q[axis] for w, q in zip(weights, p)) for axis in (0, 1))


# ---- the graph ------------------------------------------------------------------------------------------------


def test_every_node_has_a_place_with_name_formula_data_and_after_backward_grad():
    _, _, f = xyz()
    assert "∂" not in words(draw(f))[1]
    f.backward()
    nodes, _ = words(draw(f))
    assert len(nodes) == len(topological_order(f)) == 7
    # the SVG lowers the index of v₁ by itself
    assert {"s 3 ∂ 24", "y = r · s 6 ∂ 6", "x = r 2 ∂ 18", "f = v1 · z 36 ∂ 1"} <= set(nodes)


def test_a_part_of_a_graph_does_not_call_the_gradients_of_the_whole_its_own():
    r, _, f = xyz()
    y = next(node for node in topological_order(f) if node.name == "y")
    f.backward()
    drawing = draw(y)
    titles = {cell.name: cell.title for box in drawing.figure.boxes for cell in box.cells}
    assert titles["r"] == f"r\ndata 2.0\ngrad {r.grad!r}"
    assert "∂y" not in words(drawing)[1]


def test_each_edge_has_a_wire_and_on_request_its_local_derivative():
    _, _, f = xyz()
    assert not any(wire.local for wire in draw(f).figure.wires)
    drawing = draw(f, local_derivatives=True)
    assert {wire.title for wire in drawing.figure.wires} == {
        "∂x/∂r = 1", "∂y/∂r = 3", "∂y/∂s = 2", "∂z/∂s = 1", "∂v₁/∂x = 6", "∂v₁/∂y = 2", "∂f/∂v₁ = 3", "∂f/∂z = 12",
    }  # fmt: skip
    assert all(wire.title.endswith(f" = {wire.local}") for wire in drawing.figure.wires)
    on_wires = re.findall(r'<text class="local" data-edge="(\d+:\d)"[^>]*>· (\d+)</text>', drawing.svg)
    assert dict(on_wires) == {
        "1:0": "1", "3:0": "3", "3:1": "2", "4:0": "6", "4:1": "2", "5:0": "1", "6:0": "3", "6:1": "12",
    }  # fmt: skip


def test_both_edges_of_x_plus_x_are_drawn_apart():
    x = Value(3.0, "x")
    drawing = draw(x + x)
    first, second = (list(points_along(route)) for route in drawing.placement.routes)
    assert len(drawing.figure.wires) == 2
    assert max(abs(p[1] - q[1]) for p, q in zip(first, second)) > 4.0
    tips = [route.tip for route in drawing.placement.routes]
    assert abs(tips[0][1] - tips[1][1]) > 4.0


def test_constants_stand_in_the_formula_or_on_request_in_a_box_without_grad():
    x = Value(3.0, "x")
    y = 2.0 * x
    y.backward()
    assert words(draw(y))[0] == ["x 3 ∂ 2", "f = 2 · x 6 ∂ 1"]
    assert words(draw(y, constants=True))[0] == ["x 3 ∂ 2", "2", "f = 2 · x 6 ∂ 1"]


def test_a_folded_sum_of_squares_has_brackets_around_each_difference():
    x, mu = [Value(1.0, "x_1"), Value(4.0, "x_2")], Value(2.0, "μ")
    differences = [x_i - mu for x_i in x]
    variance = named(v=dot(differences, differences) * 0.5)
    assert "v = ½ ((x1 − μ)² + (x2 − μ)²) 2.5" in words(draw(variance, fold=True))[0]


def test_zero_valued_nodes_are_drawn_like_any_other():
    a, b = Value(2.0, "a"), Value(-2.0, "b")
    assert "v1 = a + b 0" in words(draw((a + b) * 1.0))[0]


def test_a_graph_of_one_node_can_be_drawn():
    x = Value(3.0, "x")
    x.backward()
    assert words(draw(x))[0] == ["x 3 ∂ 1"]


# ---- the paths ------------------------------------------------------------------------------------------------


def test_slide_f_equals_xyz_both_paths_from_s_are_lit_with_their_products():
    _, s, f = xyz()
    drawing = draw(f, wrt=s)
    assert drawing.figure.captions[:3] == [
        "∂f/∂s = 24, over 2 paths",
        "f → v₁ → y → s:  3 · 2 · 2 = 12",
        "f → z → s:  12 · 1 = 12",
    ]
    carried = {ends: product for ends, product in between(drawing, "carried").items() if product}
    assert carried == {
        ("z", "f"): "12", ("v₁", "f"): "3", ("y", "v₁"): "6", ("s", "y"): "12", ("s", "z"): "12",
    }  # fmt: skip
    assert [wire.idle for wire in drawing.figure.wires] == [not wire.carried for wire in drawing.figure.wires]


@pytest.mark.parametrize("seed", range(30))
def test_lit_edges_are_those_on_paths_from_s_and_carry_the_sum_of_their_products(seed):
    leaves, f = random_graph(9, seed)
    s = next(x for x in leaves if x in topological_order(f))
    shown = highlighted(display([f], topological_order(f)), s)
    onward = {}
    for edge in shown.edges:
        onward.setdefault(edge.tail, []).append(edge)
    carried = {}

    def follow(node, path, so_far):
        if node is shown.root:
            for edge in path:
                carried[edge] = carried.get(edge, 0.0) + so_far
        for edge in onward.get(node, []):
            follow(edge.head, [*path, edge], so_far * edge.local)

    follow(shown.node_of(s), [], 1.0)
    assert {edge for edge in shown.edges if edge.share is not None} == set(carried)
    f.backward()
    for edge, share in carried.items():
        assert edge.share == pytest.approx(share, rel=1e-9, abs=1e-12)
    assert sum(e.share for e in onward[shown.node_of(s)]) == pytest.approx(s.grad, rel=1e-9, abs=1e-12)


def test_a_path_that_carries_more_is_drawn_wider_and_what_it_carries_has_its_sign():
    x = Value(1.0, "x")
    a, b = named(a=5.0 * x, b=-1.0 * x)
    drawing = draw(a + b, wrt=x)
    assert between(drawing, "width")["x", "a"] > between(drawing, "width")["x", "b"]
    assert (between(drawing, "carried")["x", "a"], between(drawing, "carried")["x", "b"]) == ("5", "−1")


def test_lit_wires_point_back():
    _, s, f = xyz()
    drawing = draw(f, wrt=s)
    by_edge = {wire.edges[0]: (wire, route) for wire, route in zip(drawing.figure.wires, drawing.placement.routes)}
    tips = re.findall(r'data-edge="(\d:\d)".*?class="tip (\w+)" d="M([\d.]+),', drawing.svg, re.S)
    assert len(tips) == 8
    for name, kind, x in tips:
        wire, route = by_edge[name]
        assert kind == ("back" if wire.carried else "ahead")
        assert (float(x) < (route.points[0][0] + route.tip[0]) / 2) == bool(wire.carried)


def test_more_paths_than_can_be_followed_are_counted():
    x = Value(1.0, "x")
    y = x
    for _ in range(30):
        y = y + y
    assert draw(y, wrt=x).figure.captions[0] == "∂f/∂x = 1073741824, over 1,073,741,824 paths"


def test_nothing_times_an_infinite_local_derivative_carries_nothing():
    x = Value(0.0, "x")
    drawing = draw(sqrt(x) * 0.0, wrt=x)
    assert drawing.figure.captions[0] == "∂f/∂x = 0, over 1 path"
    assert "nan" not in drawing.svg.lower()


def test_a_value_that_is_not_in_the_graph_cannot_be_lit():
    _, _, f = xyz()
    with pytest.raises(ValueError, match="t is not in the graph of f"):
        draw(f, wrt=Value(1.0, "t"))


def test_what_changed_since_the_forward_pass_is_said():
    _, s, f = xyz()
    assert draw(f).figure.warnings == []
    s.data = 5.0
    drawing = draw(f)
    assert drawing.figure.warnings == ["s changed since f was computed: run the forward pass again"]
    assert "run the forward pass again" in words(drawing)[1]


def test_a_picture_says_what_changed_in_the_words_of_an_explanation():
    x, b = Value(2.0, "x"), Value(3.0, "b")
    letters = [Value(float(i), f"p_{i}") for i in range(1, 6)]
    for f, changed in ((named(f=x + b), [x]), (named(f=sum(p * p for p in letters)), letters)):
        for value in changed:
            value.data += 0.5
        [warning] = draw(f).figure.warnings
        assert warning == str(explain(f, changed[0])).splitlines()[0]
    assert warning == "p_1, p_2, p_3 and 2 more changed since f was computed: run the forward pass again"


# ---- folding and unfolding ------------------------------------------------------------------------------------


def test_slide_the_tree_of_f_over_xyz_over_rs_over_u():
    u = Value(1.0, "u")
    r, s = named(r=2 * u, s=u**2)
    x, y, z = named(x=r, y=r * s, z=s)
    f = named(f=x * y * z)
    drawing = draw(f, wrt=u, fold=True, direction="up")
    assert [box.key for box in drawing.figure.boxes] == ["u", "r", "x", "s", "y", "z", "f"]
    slopes = {wire.title.partition("\n")[0] for wire in drawing.figure.wires}
    assert slopes == {
        "∂r/∂u = 2", "∂s/∂u = 2", "∂x/∂r = 1", "∂y/∂r = 1", "∂y/∂s = 2", "∂z/∂s = 1",
        "∂f/∂x = 2", "∂f/∂y = 2", "∂f/∂z = 4",
    }  # fmt: skip
    assert drawing.figure.captions[0] == "∂f/∂u = 24, over 4 paths"
    height = {box.key: y for box, (_, y) in zip(drawing.figure.boxes, drawing.placement.centres)}
    assert height["f"] < height["y"] < height["r"] < height["u"]


def test_paths_that_cancel_are_not_taken_for_another_backward_pass():
    b = Value(0.3, "b")
    z = named(z_1=b + 1.0, z_2=b + 2.0, z_3=b + 4.0)
    mu = named(mu=mean(z))
    deviations = [z_i - mu for z_i in z]
    sigma2 = named(sigma2=dot(deviations, deviations) * (1 / 3))
    x_hat = deviations[0] / sqrt(sigma2 + 1e-5)
    x_hat.backward()  # b.grad is 0, and folded, the ten paths add up to 6e-17
    assert not any("another backward pass" in line for line in draw(x_hat, wrt=b, fold=True).figure.captions)
    b.grad = 1.0
    assert any("another backward pass" in line for line in draw(x_hat, wrt=b, fold=True).figure.captions)


def test_folding_x_y_z_has_the_local_derivatives_of_one_product():
    _, _, f = xyz()
    x, y, z = (Value(d, n) for d, n in ((2.0, "x"), (6.0, "y"), (3.0, "z")))
    one = named(f=product(x, y, z))
    folded_wires, wires = (draw(g, **o).figure.wires for g, o in ((f, {"fold": True}), (one, {})))
    assert {w.title for w in folded_wires if w.head.key == "f"} == {w.title for w in wires}
    assert "f = x · y · z 36" in words(draw(f, fold=True))[0]


@pytest.mark.parametrize("seed", range(10))
def test_folding_keeps_the_gradient(seed):
    leaves, f = random_graph(12, seed)
    f.backward()
    for s in leaves:
        if s in topological_order(f) and s is not f:
            shown = highlighted(folded(display([f], topological_order(f)), None), s)
            out = sum(edge.share for edge in shown.edges if edge.tail is shown.node_of(s))
            assert out == pytest.approx(s.grad, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("make", [lambda w, a, b: affine(w, a, b), lambda w, a, b: dot(w, a) + b])
def test_a_z_unfolds_into_products_and_a_sum_and_the_graph_does_not_notice(make):
    w, a, b = [Value(2.0, "w1"), Value(3.0, "w2")], [Value(5.0, "a1"), Value(-1.0, "a2")], Value(0.5, "b")
    z = make(w, a, b)
    z.name = "z"
    (3.0 * z).backward()
    before = [(node, node.parents, node.data, node.grad) for node in topological_order(z)]
    drawing = draw(z, unfold=True)
    cells = {(*cell.formula, cell.data, cell.grad) for box in drawing.figure.boxes for cell in box.cells}
    assert {("w1 · a1", "10", "3"), ("w2 · a2", "−3", "3")} <= cells
    assert {wire.title for wire in drawing.figure.wires} >= {"∂×/∂w1 = 5", "∂×/∂a2 = 3"}
    assert before == [(node, node.parents, node.data, node.grad) for node in topological_order(z)]


def test_only_the_chosen_z_unfolds_and_only_a_z_can():
    _, trace, L = lecture_net()
    drawing = draw(L, unfold=[trace.z[1][0]])
    cells = [" ".join(cell.formula) for box in drawing.figure.boxes for cell in box.cells]
    assert [formula for formula in cells if "w¹" in formula] == ["w¹_11 · a⁰_1", "w¹_12 · a⁰_2"]
    with pytest.raises(ValueError, match="a¹_1 cannot be unfolded: only affine and dot"):
        draw(L, unfold=[trace.a[1][0]])


def test_unfolded_paths_carry_the_same_gradient():
    model, _, L = lecture_net()
    w = model.parameters()[0]
    assert draw(L, wrt=w, unfold=True).figure.captions[0] == draw(L, wrt=w).figure.captions[0]


@pytest.mark.parametrize("fold", [False, True])
def test_a_z_with_an_operand_that_has_no_wire_keeps_its_weights_in_boxes(fold):
    w, x, y, t = [Value(1.0, "w_1"), Value(2.0, "w_2")], Value(3.0, "x"), Value(4.0, "y"), Value(5.0, "t")
    z = named(z=affine(w, [x * y, t] if fold else [2.0, t], Value(0.5, "b")))
    wires = draw(z, fold=fold).figure.wires
    assert [wire.tail.key for wire in wires] == ["w_1", "w_2", *["x", "y"] * fold, "t", "b"]
    assert not any(wire.weight for wire in wires)


# ---- big graphs -----------------------------------------------------------------------------------------------


def test_a_mini_batch_collapses_by_layer_and_the_counts_add_up():
    _, loss = batch_loss()
    drawing = draw(loss)
    count = len(topological_order(loss))
    assert count > 7_000
    assert sum(box.count for box in drawing.figure.boxes) == count
    assert {box.key for box in drawing.figure.boxes} == {"inputs", "layer 1", "layer 2", "layer 3", "loss"}
    assert between(drawing, "title") == {
        ("inputs", "layer 1"): "3,200 edges",
        ("layer 1", "layer 2"): "25,600 edges",
        ("layer 2", "layer 3"): "1,600 edges",
        ("layer 3", "loss"): "100 edges",  # softplus(z), or softplus(−z) for the other label
    }


def test_a_group_tells_count_range_and_gradient_norm():
    model, loss = batch_loss(10)
    [box] = [box for box in draw(loss, collapse=True).figure.boxes if box.key == "layer 3"]
    weights = model.net.layers[4].W[0]
    norm = sum(w.grad**2 for w in weights) ** 0.5
    cell = next(cell for cell in box.cells if cell.name == "16 w")
    low, high = (float(x.replace("−", "-")) for x in cell.data.split(" … "))
    assert (low, high) == pytest.approx((min(w.data for w in weights), max(w.data for w in weights)), rel=0.01)
    assert float(cell.grad.removeprefix("‖∂‖ ")) == pytest.approx(norm, rel=0.1)


@pytest.mark.parametrize(
    ("opened", "seen"),
    [
        ("layer 2", "z²_7"),
        ("z²_7", "z²_8"),
        (["z²_7"], "w²_71"),
        ("w²_71", "b²_7"),
        (["layer 1", "layer 2"], "z¹_16"),
    ],
)
def test_groups_open_by_their_name_or_a_nodes(opened, seen):
    _, loss = batch_loss(5)
    drawing = draw(loss, open=opened)
    names = {cell.name for box in drawing.figure.boxes for cell in box.cells}
    assert seen in names | {box.key for box in drawing.figure.boxes}
    assert sum(box.count for box in drawing.figure.boxes) == len(topological_order(loss))


def test_an_unknown_group_is_an_error_that_lists_them():
    _, loss = batch_loss(5)
    with pytest.raises(ValueError, match=r"open='layer 9'.*layer 1"):
        draw(loss, open="layer 9")


def test_a_graph_without_the_lectures_names_collapses_by_level_then_by_operation():
    _, f = random_graph(2_000, 0)
    drawing = draw(f)
    assert len(drawing.figure.boxes) <= 13
    assert sum(box.count for box in drawing.figure.boxes) == len(topological_order(f))
    name = drawing.figure.boxes[3].key
    opened = draw(f, open=name)
    assert {box.key for box in opened.figure.boxes} & {f"{name}, ×", f"{name}, +"}
    assert sum(box.count for box in opened.figure.boxes) == len(topological_order(f))


def test_a_traced_example_collapses_too_and_lit_paths_stay_lit():
    model, _, L = lecture_net()
    w = model.parameters()[0]
    drawing = draw(L, wrt=w, collapse=True)
    assert all(box.count > 1 for box in drawing.figure.boxes if box.kind == "group")
    lit_wires = {ends for ends, share in between(drawing, "share").items() if share is not None}
    assert lit_wires == {("w¹_11", "layer 1"), ("layer 1", "layer 2"), ("layer 2", "L")}


def test_a_whole_drawing_above_the_limit_is_refused_with_what_to_do_instead():
    _, loss = batch_loss()
    with pytest.raises(ValueError, match=r"[67],\d\d\d boxes.*more than the 400.*collapse=True.*fold=.*draw\(node\)"):
        draw(loss, collapse=False)


@pytest.mark.slow
def test_a_hundred_thousand_nodes_collapse():
    x = Value(1.0, "x")
    for _ in range(50_000):
        x = x * 0.5
    drawing = draw(x, wrt=topological_order(x)[0])
    assert sum(box.count for box in drawing.figure.boxes) == 100_001
    assert len(drawing.figure.boxes) <= 14


# ---- where everything stands ----------------------------------------------------------------------------------


def gallery():
    model, trace, L = lecture_net()
    _, s, f = xyz()
    x = Value(3.0, "x")
    _, loss = batch_loss(4)
    hostile = [Value(1.0, name) for name in HOSTILE]
    return {
        "slide": (f, {"wrt": s}),
        "x + x": (x + x, {"local_derivatives": True}),
        "net": (L, {"local_derivatives": True}),
        "net upwards": (L, {"local_derivatives": True, "direction": "up", "fold": True}),
        "a path": (L, {"wrt": model.parameters()[0]}),
        "unfolded": (trace.z[1][0], {"unfold": True}),
        "collapsed": (loss, {"open": ["layer 1", "z²_1"]}),
        "hostile names": (product(hostile), {}),
        "150 nodes": (random_graph(250, 4)[1], {"local_derivatives": True}),
        "cyclic groups": (random_graph(2_000, 0)[1], {"open": "levels 0 to 65"}),
    }


# placing 150 nodes takes seconds
on_the_gallery = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "150 nodes")) for name in gallery()]
)


@on_the_gallery
def test_no_two_boxes_overlap_and_all_stand_in_the_picture(name):
    value, options = gallery()[name]
    if name == "cyclic groups":
        options = {"open": draw(value).figure.boxes[0].key}
    drawing = draw(value, **options)
    boxes = rectangles(drawing)
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] + 0.5 or b[2] <= a[0] + 0.5 or a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5
    width, height = drawing.placement.width, drawing.placement.height
    assert all(l >= -1 and t >= -1 and r <= width + 1 and b <= height + 1 for l, t, r, b in boxes)


@on_the_gallery
def test_wires_run_from_box_to_box_and_across_no_other(name):
    value, options = gallery()[name]
    if name == "cyclic groups":
        options = {"open": draw(value).figure.boxes[0].key}
    drawing = draw(value, **options)
    box_at = dict(zip(drawing.figure.boxes, rectangles(drawing)))
    for wire, route in zip(drawing.figure.wires, drawing.placement.routes):
        for end, box in ((route.points[0], wire.tail), (route.tip, wire.head)):
            left, top, right, bottom = box_at[box]
            assert left - ARROW - 1 <= end[0] <= right + ARROW + 1
            assert top - ARROW - 1 <= end[1] <= bottom + ARROW + 1
        for x, y in points_along(route):
            for box, (left, top, right, bottom) in box_at.items():
                if box not in (wire.tail, wire.head):
                    assert not (left + 1 < x < right - 1 and top + 1 < y < bottom - 1)


def test_each_box_is_as_wide_as_its_words():
    for value, options in gallery().values():
        if "open" not in options:
            for box in draw(value, **options).figure.boxes:
                lines = [line for cell in box.cells for line in (cell.name, cell.data, *cell.formula[1:])]
                assert all(text_width(line) <= box.width for line in [*box.lines, *lines])


def test_an_unknown_direction_is_an_error():
    _, _, f = xyz()
    with pytest.raises(ValueError, match="direction 'down'"):
        draw(f, direction="down")


def test_the_same_graph_gives_the_same_drawing_in_another_process():
    program = (
        "from autograd.drawing import draw\nfrom autograd import Value, named\n"
        "from nn import MLP\nfrom random import Random\n"
        "model = MLP(2, [4, 3, 1], rng=Random(0))\nloss = named(L=model([.5, -1.]) ** 2)\nloss.backward()\n"
        "for options in ({}, {'open': 'z¹_2'}, {'collapse': True}):\n"
        "    print(draw(loss, **options).svg)"
    )
    first, second = (printed(program, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first == second != ""


def test_drawing_works_when_nothing_but_the_standard_library_can_be_imported():
    program = (
        "import sys\n"
        "for name in ('numpy', 'sympy', 'graphviz', 'resvg_py', 'typst', 'tqdm', 'safetensors', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from autograd.drawing import draw\nfrom autograd import Value\n"
        "x = Value(3., 'x'); y = x * x; y.backward(); d = draw(y, wrt=x)\n"
        "print(d.svg.count('class=\"outline\"'), len(d._repr_html_()) > 100)\n"
        "for save in ('d.dot', 'd.png', 'd.pdf'):\n"
        "    try: d.save(save)\n"
        "    except (ImportError, RuntimeError) as error: print(error)\n"
    )
    first, *errors = printed(program, PATH="").splitlines()
    assert first == "2 True"
    remedy = "pip install 'chainrule[render]'; .svg needs no extra"
    assert errors == [
        "DOT needs the graphviz package: pip install graphviz",
        f"PNG and GIF need resvg-py: {remedy}",
        f"PDF needs typst: {remedy}",
    ]


# ---- the formats ----------------------------------------------------------------------------------------------


def hostile_graph():
    values = [Value(float(i + 1), name) for i, name in enumerate(HOSTILE)]
    f = named(f=affine(values[:13], values[13:26], values[26]))
    f.name = "<f>&\"'"
    f.backward()
    return values, f


def test_hostile_names_stay_words_in_svg_and_html(tmp_path):
    values, f = hostile_graph()
    drawing = draw(f, wrt=values[13], local_derivatives=True)
    root = ElementTree.fromstring(drawing.svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {
        "svg", "title", "style", "rect", "g", "path", "text", "tspan",
    }  # fmt: skip
    assert not any(a.startswith("on") or a.endswith("href") for e in root.iter() for a in e.attrib)
    boxes, _ = words(drawing)
    names = " ".join(boxes)
    for name in ("<b>", '"', "a|b", "{x}", "]]>", "two\\nlines", "\\u202eabc", "שלום", "&amp;", "漢字", "\\ud800x"):
        assert name in names
    page = drawing.save(tmp_path / "page.html").read_text(encoding="utf-8")
    harmless = draw(Value(1.0, "x") * 2.0).save(tmp_path / "harmless.html").read_text(encoding="utf-8")
    assert page.count("<script") == harmless.count("<script") and "<script>alert" not in page
    assert "<script" not in drawing._repr_svg_()
    assert "<b>" not in page
    assert len(page) < 100_000


def test_hostile_names_stay_words_in_mermaid(tmp_path):
    values, f = hostile_graph()
    text = draw(f, wrt=values[0], local_derivatives=True).save(tmp_path / "f.md").read_text(encoding="utf-8")
    assert text.count("```") == 2
    flowchart = text.split("```")[1]
    for line in flowchart.splitlines()[2:]:
        assert re.fullmatch(
            r"  n\d+\(?\[{1,2}\"(?:[^\"`<>{}|\\&]|<br>)*\"\]{1,2}\)?"
            r"|  n\d+ -->(?:\|\"[^\"`<>{}|\\&]*\"\|)? n\d+|  (?:style n|linkStyle )\d+ [\w#:,. -]+",
            line,
        )
    assert mermaid_text('a"`<|') == "a#34;#96;#60;#124;"


def test_svg_is_one_image_with_a_description_in_light_and_dark():
    _, s, f = xyz()
    drawing = draw(f, wrt=s)
    root = ElementTree.fromstring(drawing.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.find(f"{SVG}title").text == "Graph of f: 7 nodes; ∂f/∂s = 24, over 2 paths"
    style = root.find(f"{SVG}style").text
    rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", style, flags=re.S)
    selectors = [part for part in re.split(r"\{[^{}]*\}", rules) if part.strip()]
    parts = [part for selector in selectors for part in re.split(r",(?![^(]*\))", selector)]
    assert len(parts) > 20
    for part in parts:
        assert re.match(r'\s*(\[data-jp-theme-light="\w+"\] )?\.picture', part), part
    assert "@media (prefers-color-scheme:dark)" in style
    assert '[data-jp-theme-light="false"]' in style
    assert "http" not in drawing.svg.replace("http://www.w3.org/2000/svg", "")


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_word_has_a_contrast_of_at_least_4_5(palette):
    for fill in ("paper", "fill"):
        for text in ("ink", "quiet", "value", "grad"):
            high, low = sorted((luminance(palette[text]), luminance(palette[fill])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5


def test_in_a_notebook_a_drawing_is_an_image_that_follows_jupyters_theme():
    _, _, f = xyz()
    drawing = draw(f)
    html = drawing._repr_html_()
    assert 'src="data:image/svg+xml;base64,' in html
    for is_light, scheme in (("true", "light"), ("false", "dark")):
        rule = rf'\[data-jp-theme-light="{is_light}"\] \.(\S+)\{{color-scheme:{scheme}\}}'
        assert re.search(rf'{rule}.*<img class="\1"', html)
    assert "http" not in html
    assert drawing._repr_svg_() == drawing.svg


@pytest.mark.parametrize(
    ("name", "start"), [("f.png", b"\x89PNG"), ("f.pdf", b"%PDF"), ("f.svg", b"<svg"), ("f.html", b"<!DOCTYPE")]
)
def test_graph_and_network_are_saved_in_every_format(name, start, tmp_path):
    _, s, f = xyz()
    model, _, _ = lecture_net()
    for drawing in (draw(f, wrt=s), draw(model_diagram(model))):
        first = drawing.save(tmp_path / name).read_bytes()
        assert first.startswith(start)
        assert first == drawing.save(tmp_path / name).read_bytes()


def pixels(content):
    return pytest.importorskip("PIL.Image").open(BytesIO(content)).convert("RGB")


def test_a_png_is_the_svg_twice_as_large_in_the_light_colours_with_its_words(tmp_path):
    _, _, f = xyz()
    drawing = draw(f)
    image = pixels(drawing.save(tmp_path / "f.png").read_bytes())
    sizes = [float(x) for x in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing.svg).groups()]
    assert image.size == tuple(2 * round(x) for x in sizes)
    found = {"#{:02X}{:02X}{:02X}".format(*colour) for _, colour in image.getcolors(10**6)}
    assert {LIGHT["paper"], LIGHT["ink"]} <= found and not {DARK["paper"], DARK["ink"]} & found
    without = pixels(png(re.sub(r">[^<>]+</(text|tspan)>", r"></\1>", drawing.svg)))
    assert image.tobytes() != without.tobytes()


def test_a_pdf_has_fonts_and_no_pixels(tmp_path):
    _, _, f = xyz()
    content = draw(f).save(tmp_path / "f.pdf").read_bytes()
    assert b"/FontFile" in content and b"/Subtype/Image" not in content.replace(b" ", b"")


def test_pictures_in_pixels_need_a_font(monkeypatch, tmp_path):
    _, _, f = xyz()
    paint = raster.needed("resvg_py", "PNG").svg_to_bytes
    monkeypatch.setattr("resvg_py.svg_to_bytes", lambda **options: paint(skip_system_fonts=True, **options))
    raster._renders_text.cache_clear()
    draw(f).save(tmp_path / "with Matplotlib's.png")
    monkeypatch.setattr(raster, "_fonts", list)
    raster._renders_text.cache_clear()
    with pytest.raises(RuntimeError, match=r"no font.*apt-get install fonts-dejavu, or pip install matplotlib"):
        draw(f).save(tmp_path / "f.png")
    raster._renders_text.cache_clear()


def test_an_unknown_ending_is_an_error_that_lists_those_there_are(tmp_path):
    _, _, f = xyz()
    with pytest.raises(
        ValueError, match=r"f\.bmp: a drawing can be saved as \.svg, \.html, \.md, \.dot, \.png, \.pdf"
    ):
        draw(f).save(tmp_path / "f.bmp")
    assert list(tmp_path.iterdir()) == []


def test_a_flowchart_beyond_the_limits_of_its_viewers_is_saved_with_a_warning(tmp_path, recwarn):
    _, f = batch_loss(4, (8, 8, 1))
    draw(f).save(tmp_path / "f.md")
    assert not recwarn
    with pytest.warns(UserWarning, match=r"and 783 edges: .* 50,000 characters and 500 edges;.*collapse"):
        draw(f, collapse=False).save(tmp_path / "f.md")
    assert "flowchart" in (tmp_path / "f.md").read_text(encoding="utf-8")


def test_to_dot_is_a_digraph_with_every_node_and_edge():
    graphviz = pytest.importorskip("graphviz")
    _, s, f = xyz()
    graph = draw(f, wrt=s).to_dot()
    assert isinstance(graph, graphviz.Digraph)
    assert len(re.findall(r"^\tn\d+ \[", graph.source, re.M)) == 7
    assert len(re.findall(r"^\tn\d+ -> n\d+ ", graph.source, re.M)) == 8
    assert graph.source.count(LIGHT["grad"]) == 5 + 5  # the lit edges, and the boxes that they join


def test_draw_dot_gives_what_micrograds_notebook_expects():
    graphviz = pytest.importorskip("graphviz")
    a, b = Value(-4.0, "a"), Value(2.0)
    f = a * b + a.relu()
    f.backward()
    graph = draw_dot(f)
    assert isinstance(graph, graphviz.Digraph)
    assert (graph.format, graph.graph_attr["rankdir"]) == ("svg", "LR")
    assert graph.source.count("shape=record") == len(topological_order(f))
    assert "{ a | data -4.0000 | grad 2.0000 }" in graph.source
    assert graph.source.count("->") == 5 + 3  # operands to operations, operations to results
    assert draw_dot(f, rankdir="TB").graph_attr["rankdir"] == "TB"


# ---- neurons --------------------------------------------------------------------------------------------------


def units(drawing):
    """The texts of each unit, in the order of the boxes."""
    root = ElementTree.fromstring(drawing.svg)
    boxes = [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith(("box unit", "box dropped"))]
    return [" ".join("".join(t.itertext()) for t in g.iter(f"{SVG}text")) for g in boxes]


def test_a_model_is_units_in_layers_and_a_line_for_each_weight():
    model, _, _ = lecture_net()
    drawing = draw(model_diagram(model))
    assert len(units(drawing)) == 2 + 3 + 2
    assert len({x for x, _ in drawing.placement.centres}) == 3
    by_name = {wire.title.split(" = ")[0]: wire for wire in drawing.figure.wires}
    assert len(by_name) == 6 + 6
    assert (by_name["w²_13"].tail.key, by_name["w²_13"].head.key) == ("a¹_3", "a²_1")
    for name, w in model.named_parameters().items():
        if name in by_name:
            assert by_name[name].sign == ("plus" if w.data > 0.0 else "minus")
    widths = {name: wire.width for name, wire in by_name.items()}
    assert sorted(widths, key=widths.get) == sorted(by_name, key=lambda n: abs(model.named_parameters()[n].data))


def test_a_trace_shows_z_and_a_and_after_backward_delta_beside_them():
    _, trace, L = lecture_net()
    before = units(draw(trace_diagram(trace)))
    assert (len(before), before[2]) == (7, "z¹1 −0.14 a¹1 0.465")
    L.backward()
    after = units(draw(trace_diagram(trace)))
    assert (len(after), after[:7]) == (14, before)
    assert after[10] == "δ¹2 0.0271"
    assert after[12] == "δ²1 −0.115"


def test_dropped_units_stay_readable_and_their_lines_are_faint():
    _, trace, _ = lecture_net()
    kept, zero = Value(2.0), Value(0.0)
    a1 = [+(a * mask) for a, mask in zip(trace.a[1], (kept, zero, kept))]
    drawing = draw(trace_diagram(Trace(trace.z, [trace.a[0], a1, trace.a[2]], trace.output)))
    assert [box.key for box in drawing.figure.boxes if box.kind == "dropped"] == ["a¹_2"]
    assert units(drawing)[3] == "z¹2 0.53 dropped a¹2 0"
    faint = {wire.title.split(" = ")[0] for wire in drawing.figure.wires if wire.idle}
    assert faint == {"w¹_21", "w¹_22", "w²_12", "w²_22"}
    assert "dropped" not in words(draw(trace_diagram(trace)))[1]


def test_wide_layers_show_their_first_and_last_units_and_how_many_more():
    drawing = draw(model_diagram(MLP(780, [50, 10], rng=Random(0))))
    assert len(units(drawing)) == 6 + 6 + 10
    assert [" ".join(box.lines) for box in drawing.figure.boxes if box.lines] == ["⋮ 774 more", "⋮ 44 more"]
    assert len(drawing.figure.wires) == 6 * 6 + 6 * 10
    names = {box.key for box in drawing.figure.boxes}
    assert {"a⁰_1", "a⁰_4", "a⁰_779", "a⁰_780"} <= names
    assert "a⁰_5" not in names


def test_inputs_in_a_square_make_each_first_unit_an_image_of_its_weights():
    model = MLP(64, [10, 3], rng=Random(0))
    drawing = draw(model_diagram(model))
    tiles = [box.tile for box in drawing.figure.boxes if box.tile]
    assert (len(tiles), {len(tile) for tile in tiles}) == (10, {64})
    assert tiles[0] == [w.data for w in model.net.layers[0].W[0]]


def test_draw_takes_a_model_and_its_trace():
    model, trace, _ = lecture_net()
    assert draw(model).svg == draw(model_diagram(model)).svg
    assert draw(trace).svg == draw(trace_diagram(trace)).svg != draw(model).svg


def test_a_network_of_another_library_can_be_drawn_once_its_class_is_registered():
    class Perceptron:
        pass

    @diagram_of.register
    def perceptron_diagram(network: Perceptron):
        return Diagram([[Unit("x₁"), Unit("x₂")], [Unit("y", {"y": 0.5})]], [[[Value(1.0, "w₁"), Value(-2.0, "w₂")]]])

    assert len(units(draw(Perceptron()))) == 3


def test_what_cannot_be_drawn_is_a_type_error():
    model, _, _ = lecture_net()
    for thing in (3.0, [1.0], [], None):
        with pytest.raises(TypeError, match="draw takes a Value, a model or a trace"):
            draw(thing)
    with pytest.raises(TypeError, match="options apply only to the graph of a Value"):
        draw(model_diagram(model), fold=True)
    with pytest.raises(ValueError, match="layer 1: W must be 1 × 2, for 1 unit with 2 inputs"):
        draw(Diagram([[Unit("a"), Unit("b")], [Unit("c")]], [[[Value(1.0)]]]))


def test_a_model_without_neurons_says_so():
    from nn import Sequential, Sigmoid

    with pytest.raises(ValueError, match="no Linear layer"):
        model_diagram(Sequential(Sigmoid()))


def test_a_lecture_name_is_set_with_its_index_lowered():
    assert [m[0] for m in INDEXED.finditer("∂f/∂w²_13, z¹_2 and x_i but not learning_rate")] == [
        "w²_13",
        "z¹_2",
        "x_i",
    ]


def test_every_function_of_one_operand_with_a_name_in_words_is_drawn_as_a_call():
    x = Value(0.5, "x")
    for entry in TABLE.values():
        if len(entry.letters) == 1 and not entry.variadic and entry.symbol not in ("=", "−", "√", "|·|"):
            assert f"{entry.symbol}(x)" in draw(named(f=entry(x))).to_dot().source


@pytest.mark.parametrize("name", ["xyz", "neuron", "2-3-2", "batch norm"])
def test_a_node_stands_at_the_same_place_in_every_picture(name):
    def graph():
        if name == "xyz":
            _, s, f = xyz()
            return f, s
        if name == "neuron":
            w, a = [Value(0.5, "w_1"), Value(-1e-9, "w_2")], [Value(2.0, "a_1"), Value(0.25, "a_2")]
            return named(a=sigmoid(affine(w, a, Value(0.1, "b")))), w[0]
        if name == "2-3-2":
            model, _, L = net_232()
            return L, model.parameters()[0]
        x = [Value(x_i, f"x_{i}") for i, x_i in enumerate((1.0, 2.0, 4.0, -1e-7), start=1)]
        return named(L=summed([y * y for [y] in BatchNorm(1).batch([[x_i] for x_i in x])])), x[3]

    def places(drawing):
        boxes = zip(drawing.figure.boxes, drawing.placement.centres)
        return {box.key: (centre, box.width, box.height) for box, centre in boxes}

    f, s = graph()
    for node in topological_order(f):
        node.grad = 0.0
    before = places(draw(f))
    f.backward()
    assert places(draw(f)) == before
    assert places(draw(f, wrt=s)) == before


def test_a_folded_edge_carries_what_its_two_factors_give():
    r, s = Value(2.0, "r"), Value(3.0, "s")
    x, y, z = named(x=r, y=r * s, z=s)
    svg = draw(named(f=x * y * z), wrt=s, fold=True).svg
    assert '1 · 6 = <tspan class="carried">6</tspan>' in svg  # f to y, whose share of ∂f/∂s is 12
