"""`hubadapt propagate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hubadapt.surgery.propagate import Propagated


@click.command()
@click.option("--base", required=True, metavar="MODEL", help="The base: a folder, a Hub id or a GGUF file.")
@click.option(
    "--adapted", required=True, metavar="MODEL",
    help="The base with its learnt vocabulary, or a LoRA adapter folder that holds the tables.",
)  # fmt: skip
@click.option(
    "--sibling", "siblings", multiple=True, required=True, metavar="NAME=MODEL",
    help="A tune of the base, such as instruct=owner/name; may be repeated.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(path_type=Path),
    help="Folder to write; each sibling gets a folder of its name in it.",
)  # fmt: skip
@click.option(
    "--form", default="conversion", show_default=True,
    type=click.Choice(["swap", "overlap", "conversion", "ridge", "delta", "auto"]),
    help="What new rows are: the adapted base's (swap), those through a map fitted on shared rows (overlap), on all "
    "(conversion), or on all with a pull to the identity (ridge); moved as their pieces were (delta); or the best of "
    "the first four on rows held out (auto).",
)  # fmt: skip
@click.option(
    "--ridge", default=0.0, show_default=True, type=click.FloatRange(0),
    help="Pull of a fitted map towards the identity: 0 is none, large is swap.",
)  # fmt: skip
@click.option(
    "--body-scale", default=1.0, show_default=True, type=click.FloatRange(0),
    help="Factor on what a LoRA adapter changed in the body; 0 leaves the siblings' bodies alone.",
)  # fmt: skip
@click.option(
    "--vocab-map", type=click.Path(path_type=Path), metavar="FILE",
    help="The map between the vocabularies.  [default: vocab_map.safetensors of the adapted folder, or one made of the "
    "two tokenizers]",
)  # fmt: skip
@click.option("--link", is_flag=True, help="Hard-link files without a new tensor instead of copying them.")
def propagate(
    base: str,
    adapted: str,
    siblings: tuple[str, ...],
    out: Path,
    form: str,
    ridge: float,
    body_scale: float,
    vocab_map: Path | None,
    link: bool,
) -> None:
    """Carry a vocabulary that a base learnt into its tunes, without training (LEP). No model is ever loaded whole.

    Each sibling keeps its body, its chat template and its own tokens with their rows.
    """
    from contextlib import ExitStack

    from hubadapt.checkpoint import require_empty
    from hubadapt.cli.progress import bar
    from hubadapt.surgery import propagate as surgery
    from hubadapt.surgery.sources import model_folder

    named = _by_name(siblings)
    require_empty(out)
    lep = surgery.Lep(form, ridge, body_scale, vocab_map, "link" if link else "copy")
    with ExitStack() as stack:
        first, second, *others = (
            stack.enter_context(model_folder(text, out.parent)) for text in (base, adapted, *named.values())
        )
        done = surgery.propagate(first, second, dict(zip(named, others, strict=True)), out, lep, progress=bar)
    click.echo(as_text(done, out))


def _by_name(values: Sequence[str]) -> dict[str, str]:
    import re

    from hubadapt.errors import UserError

    found: dict[str, str] = {}
    for value in values:
        name, sign, model = value.partition("=")
        if not sign or not model or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise UserError(
                f"--sibling {value} has no name that can be a folder.",
                f"Write it as --sibling instruct={model or value}",
            )
        if name in found:
            raise UserError(f"two siblings are called {name}.", "Give each a name of its own.")
        found[name] = model
    return found


def as_text(done: Mapping[str, Propagated], out: Path) -> str:
    """What was done, a line for each table."""
    lines = []
    for name, found in done.items():
        for table, solution in found.maps.items():
            ridge = f" {solution.ridge:g}" if solution.ridge else ""
            fit = ""
            if solution.residual is not None:
                fit = f", residual {solution.residual:.3g}, condition {solution.condition:.3g}, "
                fit += f"‖M − I‖/√D {solution.distance:.3g}, {solution.rows:,} rows fitted"
            lines.append(
                f"{name} {table}: {solution.form}{ridge}{fit}; swap would leave {solution.shift:.3g}; "
                f"{found.kept[table]:,} rows kept, {found.projected[table]:,} made"
            )
            if solution.held_out:
                scores = ", ".join(f"{form} {value:.4g}" for form, value in solution.held_out.items())
                lines.append(f"  residual on held-out rows: {scores}")
        if found.appended:
            lines.append(f"{name}: {found.appended} of {found.own_tokens} tokens of its own got another id.")
        if found.body_tensors:
            lines.append(f"{name}: {found.body_tensors} tensors of its body changed.")
    return "\n".join([*lines, *(f"Wrote {out / name}." for name in done)])
