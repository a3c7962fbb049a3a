"""``python -m pyg_topn`` and the console script: errors are one line, with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    r"""Run the command line.

    What a user can get wrong ends with one line on standard error and exit code 2; a bug still
    shows its traceback.

    Args:
        arguments: The words of the command line; by default those of the process.
    """
    try:
        from pyg_topn.cli import app
        from pyg_topn.utils.allocator import keep_freed_memory

        if arguments is None:  # The process is ours.
            keep_freed_memory()
        app(args=None if arguments is None else list(arguments), prog_name="pyg-topn")
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = " ".join(str(error).split())
        print(f"pyg-topn: {text or type(error).__name__}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("pyg-topn: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
