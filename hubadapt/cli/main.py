"""Entry point `hubadapt`: the table of commands, and how errors are shown."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from hubadapt import __version__
from hubadapt.cli.card import card
from hubadapt.cli.check import check
from hubadapt.cli.compare import compare
from hubadapt.cli.demo import demo
from hubadapt.cli.embed import embed
from hubadapt.cli.hub import hub
from hubadapt.cli.measure import measure
from hubadapt.cli.new import new
from hubadapt.cli.propagate import propagate
from hubadapt.cli.push import push
from hubadapt.cli.run import run
from hubadapt.cli.stages import stages
from hubadapt.cli.verify import verify
from hubadapt.errors import UserError


class InOrder(click.Group):
    """Lists commands in the order a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in order of registration."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C and a full disk are told in two lines, without a traceback or an empty one."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise UserError(
                "Stopped by Ctrl-C; nothing is half-written.", "Run the same command again to go on."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = f" for {error.filename}" if error.filename else ""
            raise UserError(
                f"there is no room left on the disk{where}.", "Make room, then run the same command again to go on."
            ) from error


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hubadapt")
def cli() -> None:
    """Give an open language model another language's vocabulary, carry it into every tune, publish it on the Hub."""


for command in (measure, new, check, run, card, push, verify, compare, embed, propagate, stages, hub, demo):
    cli.add_command(command)


def main() -> None:
    """Run the command line: exit 1 with two lines for what a user can mend, 2 for usage; a bug keeps its traceback."""
    try:
        cli(standalone_mode=False)
    except UserError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
