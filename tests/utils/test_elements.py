"""The table of elements."""

from __future__ import annotations

import pytest

from pyg_topn.utils.elements import BOND_ORDERS, ELEMENTS, MAX_VALENCES, check_names, max_valences


def test_symbols_stand_at_their_atomic_numbers() -> None:
    assert len(ELEMENTS) == 119
    numbers = {"*": 0, "H": 1, "C": 6, "F": 9, "Cl": 17, "Br": 35, "I": 53, "Og": 118}
    assert {symbol: ELEMENTS.index(symbol) for symbol in numbers} == numbers
    assert len(set(ELEMENTS)) == len(ELEMENTS)
    assert MAX_VALENCES.keys() <= set(ELEMENTS)


def test_valences_of_qm9() -> None:
    assert max_valences(("C", "N", "O", "F")) == (4, 3, 2, 1)
    assert max_valences(()) == ()
    assert list(BOND_ORDERS.values()) == [1, 2, 3]


def test_element_without_a_default() -> None:
    with pytest.raises(ValueError, match="Expected 'valences', as 'Fe' has no default"):
        max_valences(("C", "Fe"))


@pytest.mark.parametrize(
    ("names", "known", "match"),
    [
        ((), ELEMENTS, "at least one entry in 'atoms'"),
        (("C", "Xx"), ELEMENTS, "'atoms' among element symbols .got 'Xx'"),
        (("AROMATIC",), tuple(BOND_ORDERS), "among SINGLE DOUBLE TRIPLE .got 'AROMATIC'"),
        (("C", "N", "C"), ELEMENTS, "without duplicates"),
    ],
)
def test_names_are_checked(names: tuple[str, ...], known: tuple[str, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        check_names("atoms", names, known)


def test_good_names_pass() -> None:
    check_names("atoms", ("C", "N"), ELEMENTS)
