"""The elements, and how many bonds their neutral atoms have at most."""

from __future__ import annotations

#: The order of every bond type that a kekulised molecule may hold.
BOND_ORDERS = {"SINGLE": 1.0, "DOUBLE": 2.0, "TRIPLE": 3.0}

#: Bonds that a neutral atom of an element has at most, for the elements of organic chemistry.
MAX_VALENCES = {
    **{"H": 1, "B": 3, "C": 4, "N": 3, "O": 2, "F": 1, "Si": 4, "P": 5, "S": 6, "Cl": 1},
    **{"Ge": 4, "As": 5, "Se": 6, "Br": 1, "Sn": 4, "Te": 6, "I": 1},
}

_SYMBOLS = """
* H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb
Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf
Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

#: Element symbols, each at its atomic number; 0 is RDKit's wildcard.
ELEMENTS = tuple(_SYMBOLS.split())


def check_names(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    r"""Check that names are known, present and distinct.

    Raises:
        ValueError: If they are not; the message says which is wrong.

    Example:
        >>> check_names("atoms", ("C", "N"), ELEMENTS)
    """
    if not names:
        raise ValueError(f"Expected at least one entry in '{what}' (got none)")
    for name in names:
        if name not in known:
            hint = "element symbols" if len(known) > 3 else " ".join(known)
            raise ValueError(f"Expected '{what}' among {hint} (got {name!r})")
    if len(set(names)) < len(names):
        raise ValueError(f"Expected '{what}' without duplicates (got {names})")


def max_valences(atoms: tuple[str, ...]) -> tuple[int, ...]:
    r"""Look up how many bonds neutral atoms have at most.

    Raises:
        ValueError: If an element is not in the table.

    Example:
        >>> max_valences(("C", "N", "S"))
        (4, 3, 6)
    """
    for atom in atoms:
        if atom not in MAX_VALENCES:
            raise ValueError(f"Expected 'valences', as {atom!r} has no default (got none)")
    return tuple(MAX_VALENCES[atom] for atom in atoms)
