"""`hubadapt hub`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def hub() -> None:
    """An embedded Hub on this machine."""


@hub.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder that holds its repositories.")
@click.option("--port", default=8765, show_default=True, help="Port on 127.0.0.1.")
def serve(data: Path, port: int) -> None:
    """Serve the Hub of the folder DATA on the loopback until Ctrl-C."""
    from hubadapt.errors import MissingExtraError

    try:
        from hubadapt.localhub.server import serve as serve_hub
    except ModuleNotFoundError as error:
        raise MissingExtraError("the embedded Hub", "hub") from error
    serve_hub(data, port)
