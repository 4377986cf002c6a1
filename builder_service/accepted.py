"""What a client takes, and how gladly: the weights of `Accept` and its kin (RFC 9110, section 12.4.2)."""

from __future__ import annotations


def accepted_weights(header: str) -> dict[str, float]:
    """Each name of the header in lower case, with its weight; one that can't be read is passed over.

    A name that comes twice has the greater weight.
    """
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            weights[name] = max(weights.get(name, 0.0), float(weight))
        except ValueError:
            continue
    return weights
