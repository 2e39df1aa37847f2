"""Merkle trees against the vectors of RFC 6962's reference implementation."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.byzantine.merkle import (
    inclusion_proof,
    is_included,
    merkle_root,
)

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.row("C13")
@pytest.mark.parametrize("count", range(1, 9))
def test_roots_of_the_reference(count):
    assert merkle_root(ENTRIES[:count]).hex() == ROOTS[count - 1]


def test_root_of_nothing():
    assert merkle_root([]) == hashlib.sha256(b"").digest()


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_proofs_hold_for_their_entry_and_place_only(entries, data):
    index = data.draw(st.integers(0, len(entries) - 1))
    root, proof = merkle_root(entries), inclusion_proof(entries, index)
    assert is_included(entries[index], index, len(entries), proof, root)
    assert not is_included(entries[index] + b"!", index, len(entries), proof, root)
    assert not is_included(entries[index], index, len(entries), [*proof, root], root)
    assert not is_included(entries[index], len(entries), len(entries), proof, root)
    if proof:
        assert not is_included(entries[index], index, len(entries), proof[:-1], root)


def test_a_node_cannot_be_shown_as_a_leaf():
    """Without prefixes the concatenated digests of two leaves would be an entry themselves."""
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in ENTRIES[:2]]
    assert merkle_root([leaves[0] + leaves[1]]) != merkle_root(ENTRIES[:2])


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_of_an_entry_that_is_not_there(index):
    with pytest.raises(InputError, match="3 entries"):
        inclusion_proof(ENTRIES[:3], index)
