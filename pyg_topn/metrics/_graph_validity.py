"""What makes a graph a valid one of its family, for the families that have a standard."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx


def is_connected_planar(graph: nx.Graph) -> bool:
    """Connected and planar."""
    return bool(nx.is_connected(graph)) and bool(nx.is_planar(graph))


def is_tree(graph: nx.Graph) -> bool:
    """Connected and without cycles."""
    return bool(nx.is_tree(graph))


def is_lobster(graph: nx.Graph) -> bool:
    """A tree that is a path, or nothing, once its leaves are taken off twice."""
    if not nx.is_tree(graph):
        return False
    for _ in range(2):
        leaves = [node for node, degree in graph.degree() if degree <= 1]
        graph = graph.subgraph(set(graph) - set(leaves))
    return all(degree <= 2 for _, degree in graph.degree())


#: Families by name. Where papers agree on no criterion there is none.
VALIDITY: dict[str, Callable[[nx.Graph], bool] | None] = {
    "community_small": None,
    "ego_like": None,
    "grid": None,
    "planar": is_connected_planar,
    "sbm": None,
    "tree": is_tree,
    "lobster": is_lobster,
}
