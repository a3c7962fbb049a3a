"""Where half precision is fast."""

from __future__ import annotations

import pytest
import torch

from pyg_topn.utils.precision import has_fast_bfloat16


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
