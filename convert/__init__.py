"""Original Lua checkpoints to PyTorch. `convert.load` takes any of the two and returns one."""

from convert.load import load

__all__ = ["load"]
