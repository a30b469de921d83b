"""How much of PyTorch the rules derive: judged anew, printed, and written to docs/coverage.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backprop_tui import covered
from tests.rules import op_db

DOCUMENT = Path(__file__).parents[2] / "docs" / "coverage.md"
HEAD = """\
# What the rules cover

Figures taken by `make coverage`: the differentiable variants of PyTorch's op_db whose samples all
agree with autograd by rules alone, the forward and every cotangent, and what real models call.

op_db has 547 entries that autograd differentiates. 540 of them take float64; of the others three
take complex numbers alone (view_as_real, istft, imag), one integers (one_hot), and three run on a
GPU alone.
"""
MEANS = {
    "float64": "equal to 1e-10",
    "complex128": "equal to 1e-10",
    "float32": "within the rounding verdict",
}
ALONE = "one number in a row: the gradient is 0, autograd's is its rounding"
# Why a variant that passes in float64 is beyond rounding in float32.
ROUGH = {
    "cdist": "autograd's answer is the one further from float64",
    "chalf": "PyTorch compares no complex half numbers",
    "linalg.householder_product": "autograd's answer is the one further from float64",
    "logcumsumexp": "autograd's answer is the one further from float64",
    "native_layer_norm": ALONE,
    "nn.functional.layer_norm": ALONE,
    "nn.functional.normalize": ALONE,
    "nn.functional.rms_norm": "one number in a row, where only ε counts, which is the dtype's own",
    "special.log_ndtr": "autograd's answer is the one further from float64",
}

Passed = dict[str, list[str]]


def figures(passed: Passed) -> list[str]:
    """The figures as sentences."""
    sentences = []
    for dtype, names in passed.items():
        entries = [entry.full_name for entry in covered.op_db_entries(dtype)]
        own = set(entries) & set(names)
        sentences.append(f"{dtype}, {MEANS[dtype]}: {len(own)} of {len(entries)} variants.")
    uses = covered.uses()
    derived = [use for use in uses if covered.how(use.name)]
    sentences.append(
        f"{len(derived)} of the {len(uses)} functions that 122 public models call with gradients "
        "have a rule, or are Python whose inner ops have."
    )
    return sentences


def document(passed: Passed) -> Iterator[str]:
    """The lines of docs/coverage.md."""
    yield HEAD
    yield from (f"- {figure}" for figure in figures(passed))
    entries = {entry.full_name for entry in covered.op_db_entries()}
    exact = entries & set(passed["float64"])
    yield "\n## op_db variants that do not pass\n\n| variant | why |\n| --- | --- |"
    yield from (f"| {n} | {covered.REASONS.get(n, '')} |" for n in sorted(entries - exact))
    yield "\n## Those that pass, but not within rounding in float32\n"
    yield "| variant | why |\n| --- | --- |"
    yield from (f"| {n} | {ROUGH.get(n, '')} |" for n in sorted(exact - set(passed["float32"])))
    yield f"\n## op_db variants that pass\n\n{', '.join(sorted(exact))}"
    yield "\n## Functions of real models\n\n| function | models | calls | derived by |"
    yield "| --- | ---: | ---: | --- |"
    for use in covered.uses():
        derived = covered.how(use.name) or "**missing**"
        yield f"| {use.name} | {use.models} | {use.calls} | {derived} |"


def main() -> None:
    """Judge, print and write."""
    passed = {dtype: op_db.sweep(dtype) for dtype in op_db.JUDGES}
    print(*figures(passed), sep="\n")
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n".join(document(passed)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
