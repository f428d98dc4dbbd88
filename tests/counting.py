"""How many kernels a computation starts."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

VIEWS = {
    *("_unsafe_view", "view", "reshape", "flatten", "unflatten", "alias", "as_strided", "detach"),
    *("chunk", "split", "split_with_sizes", "unbind", "select", "slice", "narrow", "unfold"),
    *("permute", "transpose", "t", "expand", "squeeze", "unsqueeze", "diagonal"),
}
MARKS = {"_record_function_enter_new", "_record_function_exit"}  # for profilers


class Kernels(TorchDispatchMode):
    """Record the calls of operators that are no views, by name; each starts at least one kernel.

    The number is the same on every machine.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name not in VIEWS and name not in MARKS:
            self.names.append(name)
        return function(*args, **(kwargs or {}))
