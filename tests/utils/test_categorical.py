"""Draws from categorical distributions."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils.categorical import _first_of_race, draw_categorical


def test_frequencies(generator: torch.Generator) -> None:
    share = torch.tensor([0.2, 0.0, 0.5, 0.3])
    drawn = draw_categorical(share.log().expand(20_000, 4), generator)
    torch.testing.assert_close(drawn.bincount(minlength=4) / 20_000, share, rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_devices_draw_what_multinomial_draws(dtype: torch.dtype) -> None:
    probabilities = torch.randn(500, 5, dtype=dtype).softmax(dim=-1)
    expected = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(3))
    drawn = _first_of_race(probabilities, torch.Generator().manual_seed(3))
    assert torch.equal(drawn, expected.squeeze(1))


def test_other_devices() -> None:
    drawn = draw_categorical(torch.empty(6, 3, device="meta"))
    assert (drawn.shape, drawn.dtype, drawn.is_meta) == ((6,), torch.int64, True)


def test_seeded() -> None:
    logits = torch.randn(50, 4)
    first, again, other = (
        draw_categorical(logits, torch.Generator().manual_seed(seed)).tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_no_rows() -> None:
    drawn = draw_categorical(torch.empty(0, 4))
    assert (drawn.shape, drawn.dtype) == ((0,), torch.int64)


def test_not_a_number() -> None:
    with pytest.raises(RuntimeError, match="probability tensor"):
        draw_categorical(torch.full((2, 3), torch.nan))
