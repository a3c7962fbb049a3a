"""Matchers by name."""

from __future__ import annotations

from pyg_topn.losses.matching.atom_score import AtomScoreMatcher
from pyg_topn.losses.matching.base import Matcher
from pyg_topn.losses.matching.canonical import CanonicalMatcher
from pyg_topn.losses.matching.hungarian import HungarianMatcher
from pyg_topn.losses.matching.none import NoneMatcher

MATCHERS: dict[str, type[Matcher]] = {
    "atom_score": AtomScoreMatcher,
    "canonical": CanonicalMatcher,
    "hungarian": HungarianMatcher,
    "none": NoneMatcher,
}


def matcher_resolver(query: Matcher | str) -> Matcher:
    r"""Return a matcher by its name.

    Args:
        query: ``"atom_score"``, ``"canonical"``, ``"hungarian"`` or ``"none"``; a matcher is
            returned as it is.

    Raises:
        ValueError: If there is no such matcher.
        TypeError: If it is neither a matcher nor a string.

    Example:
        >>> matcher_resolver("canonical")
        CanonicalMatcher()
    """
    if isinstance(query, Matcher):
        return query
    if not isinstance(query, str):
        raise TypeError(f"Expected a matcher or its name (got {type(query).__name__})")
    if query not in MATCHERS:
        raise ValueError(f"Expected a matcher among {', '.join(MATCHERS)} (got '{query}')")
    return MATCHERS[query]()
