"""The networks that the models share."""

import pytest
import torch

from gen_utils.nets import ConditionalMLP


@pytest.mark.parametrize("hidden_dims", [(), (8,), (8, 6)])
def test_a_label_is_one_more_input_for_each_class(hidden_dims):
    torch.manual_seed(0)
    network = ConditionalMLP([5, *hidden_dims, 2], classes=3).requires_grad_(False)
    x, y = torch.rand(4, 5), torch.tensor([2, 0, 1, 2])
    first = network.layers[0]
    weight = torch.cat([first.weight, network.embedding.weight.T], dim=1)
    hidden = torch.cat([x, torch.eye(3)[y]], dim=1) @ weight.T + first.bias
    torch.testing.assert_close(network(x, y), network.layers[1:](hidden))


def test_without_classes_it_is_a_plain_perceptron():
    network = ConditionalMLP([5, 8, 2])
    x = torch.rand(4, 5)
    assert network.embedding is None
    assert torch.equal(network(x), network.layers(x))
