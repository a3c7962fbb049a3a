"""Matchers: which node of the target a predicted slot is compared with."""

from pyg_topn.losses.matching.atom_score import AtomScoreMatcher, atom_score
from pyg_topn.losses.matching.base import Matcher
from pyg_topn.losses.matching.canonical import CanonicalMatcher
from pyg_topn.losses.matching.hungarian import HungarianMatcher
from pyg_topn.losses.matching.none import NoneMatcher
from pyg_topn.losses.matching.resolver import MATCHERS, matcher_resolver

__all__ = [
    "MATCHERS",
    "AtomScoreMatcher",
    "CanonicalMatcher",
    "HungarianMatcher",
    "Matcher",
    "NoneMatcher",
    "atom_score",
    "matcher_resolver",
]
