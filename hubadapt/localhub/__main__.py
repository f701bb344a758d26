"""Serve a data folder from a process of its own: `python -m hubadapt.localhub --data DIR --port N`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hubadapt.errors import UserError
from hubadapt.localhub.server import serve


def main() -> int:
    """Read the command line and serve; the first line printed is the endpoint URL."""
    parser = argparse.ArgumentParser(prog="python -m hubadapt.localhub", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--user", default="local", help="name of the user to make at first start")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    args = parser.parse_args()
    until = sys.stdin.buffer if args.until_eof else None
    try:
        serve(args.data, args.port, user=args.user, on_ready=_show, until=until)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _show(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
