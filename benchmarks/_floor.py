"""The least time that a case could take on a machine, from what it computes and moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from _clock import Case
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from torch_geometric.data import Data

aten = torch.ops.aten

_HALF = {torch.bfloat16, torch.float16}

# Operations that name memory without touching it.
_UNTOUCHED = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}


@dataclass(frozen=True)
class Rates:
    """What a device was measured to do in a second: products in float32 and in half precision
    (as in float32 where that has no hardware of its own), and a copy."""

    flops: float
    bytes: float
    half_flops: float


@dataclass(frozen=True)
class Count:
    """What one call of a case computes and moves, in floating-point operations and bytes."""

    flops: int
    op_bytes: int
    least_bytes: int
    half: bool = False  # whether any of it is in half precision: then all products count as such

    def floor(self, rates: Rates) -> float:
        """Seconds below which no implementation of the same products can get.

        >>> Count(100, 80, 40).floor(Rates(10.0, 20.0, 40.0))
        10.0
        >>> Count(100, 80, 40, half=True).floor(Rates(10.0, 20.0, 40.0))
        2.5
        """
        products = self.flops / (rates.half_flops if self.half else rates.flops)
        return max(products, self.least_bytes / rates.bytes)

    def unfused(self, rates: Rates) -> float:
        """Seconds that the traffic of the operations as they are takes, if it is all that counts.

        >>> Count(100, 80, 40).unfused(Rates(10.0, 20.0, 40.0))
        4.0
        """
        return self.op_bytes / rates.bytes


def count(case: Case) -> Count:
    """Count one call of a case."""
    own = {_address(t): 0 for t in (*case.parameters, *tensors(case.inputs))}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if _address(tensor) not in own:
            kept[_address(tensor)] = max(kept.get(_address(tensor), 0), num_bytes(tensor))
        return tensor

    formulas: dict[Any, Callable[..., int]] = {
        aten.mm: _product_flops,
        aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
    }
    counter = FlopCounterMode(display=False, custom_mapping=formulas)
    with counter, _Traffic() as traffic, saved_tensors_hooks(pack, lambda tensor: tensor):
        output = case.run()
    least = least_bytes(
        case.kind,
        parameters=total_bytes(case.parameters),
        ends=total_bytes(tensors(case.inputs)) + total_bytes(tensors(output)),
        kept=sum(kept.values()),
    )
    return Count(counter.get_total_flops(), traffic.bytes, least, traffic.half)


def least_bytes(kind: str, parameters: int, ends: int, kept: int) -> int:
    """Bytes that have to be moved even if every operation were fused with the next.

    Parameters are read; inputs and outputs, the ends, are moved once. A backward pass writes the
    gradients of the parameters, and what it needs of the forward pass is written and read. A step
    reads the gradients once more for their norm and again for Adam, which reads and writes the
    parameters and both of its averages. A copy writes what it reads.

    >>> least_bytes("forward", parameters=10, ends=5, kept=0)
    15
    >>> least_bytes("backward", parameters=10, ends=5, kept=100)
    225
    >>> least_bytes("step", parameters=10, ends=5, kept=100)
    305
    >>> least_bytes("copy", parameters=0, ends=5, kept=0)
    10
    """
    if kind == "copy":
        return 2 * ends
    passes = {"forward": 1, "backward": 2, "step": 2 + 8}
    return passes[kind] * parameters + ends + 2 * kept


def tensors(value: object) -> Iterator[Tensor]:
    """All tensors in graphs, dataclasses, mappings and sequences of such.

    >>> [t.numel() for t in tensors([torch.ones(2), {"a": (torch.ones(3), "text")}])]
    [2, 3]
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Data):
        yield from tensors(value.to_dict())
    elif is_dataclass(value):
        yield from tensors([getattr(value, each.name) for each in fields(value)])
    elif isinstance(value, Mapping):
        yield from tensors(list(value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from tensors(each)


def total_bytes(found: Iterable[Tensor]) -> int:
    """Bytes of tensors, those of the same memory counted once.

    >>> x = torch.ones(4)
    >>> total_bytes([x, x.view(2, 2), torch.ones(1)])
    20
    """
    return sum({_address(tensor): num_bytes(tensor) for tensor in found}.values())


def num_bytes(tensor: Tensor) -> int:
    """Bytes of what a tensor holds: of an expanded one those that are there.

    >>> num_bytes(torch.ones(3, 1)), num_bytes(torch.ones(3, 1).expand(3, 5))
    (12, 12)
    """
    if tensor.layout == torch.sparse_csr:
        return sum(map(num_bytes, _csr_parts(tensor)))
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _csr_parts(tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return tensor.crow_indices(), tensor.col_indices(), tensor.values()


def _address(tensor: Tensor) -> int:
    values = tensor.values() if tensor.layout == torch.sparse_csr else tensor
    return values.untyped_storage().data_ptr()


class _Traffic(TorchDispatchMode):
    """Adds up inputs and outputs of every operation, views left out."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.half = 0, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in _UNTOUCHED:
            return output
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        written = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        self.half = self.half or any(tensor.dtype in _HALF for tensor in written)
        changes = func._schema.is_mutable
        if not changes and {*map(_address, written)} & {*map(_address, read)}:
            return output
        if changes and not written:  # Those on lists, as of optimisers, return nothing.
            written = read
        self.bytes += sum(map(num_bytes, (*read, *written)))
        return output


def _product_flops(a: Tensor, b: Tensor, *_: Any, **__: Any) -> int:
    """Of a sparse matrix only the entries that are there count; FlopCounterMode takes all."""
    entries = a.values().numel() if a.layout == torch.sparse_csr else a.numel()
    return 2 * entries * b.size(1)


_product_flops._get_raw = True  # type: ignore[attr-defined]


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """The fused attention of the CPU, which FlopCounterMode does not know."""
    return sdpa_flop_count(query, key, value)


def _attention_backward_flops(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any
) -> int:
    """Five products where the forward pass has two: it computes the scores again."""
    return 5 * sdpa_flop_count(query, key, value) // 2
