"""Matchers by name."""

from __future__ import annotations

from typing import Any

import pytest

from pyg_topn.losses.matching import (
    MATCHERS,
    AtomScoreMatcher,
    CanonicalMatcher,
    HungarianMatcher,
    NoneMatcher,
    matcher_resolver,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("atom_score", AtomScoreMatcher),
        ("canonical", CanonicalMatcher),
        ("hungarian", HungarianMatcher),
        ("none", NoneMatcher),
    ],
)
def test_every_name_has_its_matcher(name: str, kind: type) -> None:
    assert type(matcher_resolver(name)) is kind
    assert MATCHERS[name] is kind


def test_every_name_is_tested() -> None:
    assert list(MATCHERS) == ["atom_score", "canonical", "hungarian", "none"]


def test_a_matcher_is_returned_as_it_is() -> None:
    matcher = NoneMatcher()
    assert matcher_resolver(matcher) is matcher


@pytest.mark.parametrize("query", ["tinder", "", "Canonical"])
def test_unknown_names_are_refused_with_those_there_are(query: str) -> None:
    pattern = rf"Expected a matcher among atom_score, canonical, hungarian, none \(got '{query}'\)"
    with pytest.raises(ValueError, match=pattern):
        matcher_resolver(query)


@pytest.mark.parametrize("query", [None, 3, CanonicalMatcher, ["none"]])
def test_other_types_are_refused(query: Any) -> None:
    with pytest.raises(TypeError, match="Expected a matcher or its name"):
        matcher_resolver(query)
