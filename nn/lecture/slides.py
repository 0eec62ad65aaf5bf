"""Provides the network on the slides, which the notebooks share: 2-3-2 with sigmoids in both layers."""

from nn.layers import MLP


def network() -> MLP:
    """Return the lecture's network with its 17 parameters.

    >>> model = network()
    >>> [round(a.data, 4) for a in model([0.5, -1.0])]
    [0.5367, 0.4844]
    """
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
    model.load_state_dict({
        "net.layers.0.W": [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], "net.layers.0.b": [0.01, -0.02, 0.03],
        "net.layers.2.W": [[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]], "net.layers.2.b": [0.05, -0.05],
    })  # fmt: skip
    return model
