"""Compares the network with PyTorch's stored numbers: losses, optimisers over 20 steps, and a whole training run."""

import pytest
from conftest import REFERENCES

import nn
from autograd import Value, sin
from nn.losses import BY_NAME, mean_loss
from nn.optim import OPTIMIZERS

close = lambda x: pytest.approx(x, rel=1e-12, abs=1e-12)  # noqa: E731


@pytest.mark.parametrize("name", sorted(REFERENCES["losses"]))
def test_losses(name):
    for case in REFERENCES["losses"][name]:
        output = [Value(x) for x in case["output"]]
        loss = BY_NAME[name](output, case["target"])
        loss.backward()
        assert loss.data == close(case["value"])
        assert [x.grad for x in output] == close(case["grad"])


@pytest.mark.parametrize("name", sorted(REFERENCES["optimizers"]))
def test_optimizers_over_20_steps(name):
    case = REFERENCES["optimizers"][name]
    renamed = {"lr": "learning_rate", "eps": "epsilon"}
    options = {renamed.get(key, key): value for key, value in case["options"].items()}
    u, v = Value(2.0), Value(-1.0)
    optimizer = OPTIMIZERS[name.split()[0]]([u, v], **options)
    for expected in case["path"]:
        optimizer.zero_grad()
        ((u - 1.0) ** 2 + sin(v) * u + v * v / 4.0).backward()
        optimizer.step()
        assert [u.data, v.data] == close(expected)


def test_a_whole_training_run():
    case = REFERENCES["training_run"]
    model = nn.MLP(2, [4, 3], activation="tanh")
    paths = {"W1": "net.layers.0.W", "b1": "net.layers.0.b", "W2": "net.layers.2.W", "b2": "net.layers.2.b"}
    model.load_state_dict({paths[key]: numbers for key, numbers in case["start"].items()})
    optimizer = nn.SGD(model.parameters(), 0.3, momentum=0.5)
    losses = []
    for order in case["orders"]:
        for k in range(0, 12, 4):
            batch = order[k : k + 4]
            outputs = model.batch([case["X"][i] for i in batch])
            loss = mean_loss(nn.cross_entropy, outputs, [case["y"][i] for i in batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.data)
    assert losses == close(case["losses"])
    state = model.state_dict()
    for key, numbers in case["end"].items():
        flat = [x for row in numbers for x in (row if isinstance(row, list) else [row])]
        ours = [x for row in state[paths[key]] for x in (row if isinstance(row, list) else [row])]
        assert ours == close(flat)
