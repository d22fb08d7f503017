# SPDX-License-Identifier: Apache-2.0
"""The mathematics of the service in plain Python, to hold its answers against."""
import math


def logsumexp(x):
    top = max(x)
    return top + math.log(sum(math.exp(value - top) for value in x))


def softmax(x):
    total = logsumexp(x)
    return [math.exp(value - total) for value in x]


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def loss(difference):
    """-log sigmoid(difference)"""
    return math.log1p(math.exp(-difference)) if difference >= 0 else (
        -difference + math.log1p(math.exp(difference)))


def normalized(log_weights):
    total = logsumexp(log_weights)
    return [value - total for value in log_weights]


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


class Reference:
    """A model of vectors as the service must compute with it; see models.write_model()."""

    def __init__(self, heads, center, router):
        self.heads, self.center, self.router = heads, center, router

    def logits(self, psi):
        """g(c,x)"""
        kind, tensors = self.router
        if kind == "static":
            return tensors["router.bias"]
        if kind == "linear":
            return [dot(row, psi) + b
                    for row, b in zip(tensors["router.weight"], tensors["router.bias"])]
        hidden = [max(0.0, dot(row, psi) + b)
                  for row, b in zip(tensors["router.0.weight"], tensors["router.0.bias"])]
        return [dot(row, hidden) + b
                for row, b in zip(tensors["router.2.weight"], tensors["router.2.bias"])]

    def start(self):
        return [-math.log(len(self.heads))] * len(self.heads)

    def weights(self, psi, log_weights):
        """softmax(g(c,x) + s)"""
        return softmax([g + s for g, s in zip(self.logits(psi), log_weights)])

    def rewards(self, psi, responses, log_weights):
        """sum_k w_k (r_k - center_k), of each response"""
        weights = self.weights(psi, log_weights)
        return [sum(w * (dot(head, phi) - c)
                    for w, head, c in zip(weights, self.heads, self.center))
                for phi in responses]

    def preference(self, psi, first, second, log_weights):
        """sum_k w_k sigmoid(r_k(a) - r_k(b))"""
        weights = self.weights(psi, log_weights)
        return sum(w * sigmoid(dot(head, first) - dot(head, second))
                   for w, head in zip(weights, self.heads))

    def losses(self, chosen, rejected):
        return [loss(dot(head, chosen) - dot(head, rejected)) for head in self.heads]

    def learn(self, log_weights, chosen, rejected, tau=1.0, strength=1.0, drift=0.0):
        """s_k <- s_k - L_k / tau * strength, normalized; then the fixed share"""
        step = normalized([s - l / tau * strength
                           for s, l in zip(log_weights, self.losses(chosen, rejected))])
        if drift:
            step = [math.log((1 - drift) * math.exp(s) + drift / len(step)) for s in step]
        return step
