"""The option `--layout`, which every command that names published models takes."""

from __future__ import annotations

import click

layout_option = click.option(
    "--layout",
    type=click.Choice(["repositories", "revisions"]),
    default="repositories",
    show_default=True,
    help="Each model a repository of its own, or all forms of one source branches of one, the last on main.",
)
