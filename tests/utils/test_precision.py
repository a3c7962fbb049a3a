"""Where half precision is fast."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils.precision import at_least_float32, autocast, has_fast_bfloat16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True}, False),
        ({}, False),
    ],
)
def test_of_a_cpu(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_fast_bfloat16("cpu") is expected
    assert has_fast_bfloat16(torch.device("cpu")) is expected


def test_where_pytorch_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert has_fast_bfloat16("cpu") is False


def test_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_fast_bfloat16("meta") is False
    asked: list[bool] = []

    def supported(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return True

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert has_fast_bfloat16("cuda") is True
    assert asked == [False]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert has_fast_bfloat16("cuda:1") is False


@pytest.mark.parametrize("is_fast", [True, False])
def test_contexts(is_fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"avx512_bf16": is_fast}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)

    def type_of_a_product(precision: str) -> torch.dtype:
        with autocast("cpu", precision):
            return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    assert type_of_a_product("float32") == torch.float32
    assert type_of_a_product("bfloat16") == torch.bfloat16
    assert type_of_a_product("auto") == (torch.bfloat16 if is_fast else torch.float32)
    with autocast("cpu", "bfloat16"):  # The inner one counts.
        assert type_of_a_product("float32") == torch.float32


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"among auto, float32, bfloat16 \(got 'fp16'\)"):
        autocast("cpu", "fp16")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_at_least_single_precision(given: torch.dtype, expected: torch.dtype) -> None:
    value = torch.ones(3, dtype=given)
    assert at_least_float32(value).dtype == expected
    assert (at_least_float32(value) is value) == (given == expected)
