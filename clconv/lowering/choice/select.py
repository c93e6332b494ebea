"""Chooses the variant of each node, and of each part of a composite operator: forced by the user, else found by tuning,
else the first that applies or the one that is estimated fastest."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from clconv.device.findings import warn_of_last_resort
from clconv.device.measurements import Named
from clconv.errors import UnsupportedError, VariantError
from clconv.lowering.choice.matrix import matrix_for
from clconv.lowering.model.kernel import VARIANTS, Problem, Variant, plain_signature
from clconv.lowering.model.lowered import Choice as Choice


def check_forced(forced: Mapping[str, str]) -> None:
    """VariantError if an operator or variant that is forced does not exist at all, used or not."""
    by_operator = {op.lower(): variants for op, variants in VARIANTS.items()}
    for operator, wanted in forced.items():
        if operator not in by_operator:
            raise VariantError(
                f"no operator '{operator}' has variants; the operators are {sorted(VARIANTS)}"
            )
        names = [v.name for v in by_operator[operator]]
        if wanted not in names:
            raise VariantError(f"operator {operator}: no variant '{wanted}', there are {names}")


def select(problem: Problem, known_variant: str = "", plain_only: bool = False) -> Choice:
    """The variant for a problem.

    known_variant: what the node takes at other sizes. It keeps it unless another is clearly faster, because its
    weights are on the device already. plain_only: among those that read and write plain tensors, as the parts of
    composite operators must.

    Raises VariantError if the forced variant does not exist or cannot apply, UnsupportedError if the operator has
    no variant that applies. A quarantined variant is taken only if no other applies, with a ClconvWarning, or if
    it is forced.
    """
    node = problem.node
    known = VARIANTS.get(node.op, [])
    label = f"node '{node.name}' ({node.op}) on {problem.device}"
    if known and problem.is_empty:
        return Choice(known[-1], "empty")  # tiles and estimates divide by sizes
    wanted = problem.options.forced.get(node.op.lower())
    if wanted is not None:
        named = [v for v in known if v.name == wanted]
        if not named:
            raise VariantError(
                f"{label}: no variant '{wanted}', there are {[v.name for v in known]}"
            )
        failed = _obstacle(named[0], problem, plain_only)
        if failed is not None:
            raise VariantError(f"{label}: variant '{wanted}' cannot apply: {failed}")
        return Choice(named[0], "forced")
    refused, fitting, bad = [], [], []
    for variant in known:
        failed = _obstacle(variant, problem, plain_only)
        if failed is not None:
            refused.append((variant.name, failed))
        elif (variant.op, variant.name) in problem.findings.quarantined:
            bad.append(variant)
            refused.append((variant.name, "quarantined by clconv doctor"))
        else:
            fitting.append(variant)
    if fitting:
        return _measured(fitting, problem, refused) or _best(
            fitting, problem, refused, known_variant
        )
    if bad:
        warn_of_last_resort(bad[-1].name, label)
        return Choice(bad[-1], "quarantined", tuple(r for r in refused if r[0] != bad[-1].name))
    reasons = "; ".join(f"{name}: {why}" for name, why in refused) or "the operator has no kernel"
    raise UnsupportedError(f"{label}: {reasons}")


def _obstacle(variant: Variant, problem: Problem, plain_only: bool) -> str | None:
    """Why a variant cannot be taken, None if it can."""
    failed = variant.obstacle(problem)
    if failed is None and plain_only:
        (plain,) = plain_signature(problem)
        return None if plain in variant.signatures(problem) else "needs another layout"
    return failed


def _measured(
    fitting: list[Variant], problem: Problem, refused: list[tuple[str, str]]
) -> Choice | None:
    """The variant that tuning found best among those that apply; None if it knows nothing of such a problem."""
    measurements = problem.findings.measurements
    if not measurements.knows(problem.node.op):
        return None
    by_name = {variant.name: variant for variant in fitting}
    instruction = instruction_for(problem)
    found = measurements.find(
        problem.node, problem.inputs, problem.outputs, instruction, is_restricted(problem)
    )
    for level, entry in found:
        if entry.is_default:
            usual = _best(fitting, problem, refused)
            return dataclasses.replace(usual, source=f"tuned: {level}, as usual")
        variant = by_name.get(entry.variant)
        if variant is not None and unknown_parameter(variant, entry.parameters) is None:
            return Choice(variant, f"tuned: {level}", tuple(refused), entry.parameters)
    return None


def instruction_for(problem: Problem) -> str:
    """The type of the matrix instruction that a variant of the node may take for it, "tf32" or "f16"; "" if none may.

    It says all that the precision asked for and what the device is verified to have change about the choice.
    """
    if any(needs_instruction(variant, problem) for variant in VARIANTS.get(problem.node.op, ())):
        kind = matrix_for(problem)
        return "" if kind is None else kind.type
    return ""


def is_restricted(problem: Problem) -> bool:
    """Whether precision="strict" was asked for and rules out a variant that may else have been the best one."""
    if problem.options.precision != "strict":
        return False
    usual = dataclasses.replace(
        problem, options=dataclasses.replace(problem.options, precision="float32")
    )
    return any(
        variant.mixes is not None
        and variant.obstacle(problem) is not None
        and variant.obstacle(usual) is None
        for variant in VARIANTS.get(problem.node.op, ())
    )


def needs_instruction(variant: Variant, problem: Problem) -> bool:
    """Whether a variant applies thanks to the device's matrix instructions only."""
    if not problem.device.matrix or variant.obstacle(problem) is not None:
        return False
    without = dataclasses.replace(problem.device, matrix=frozenset())
    return variant.obstacle(dataclasses.replace(problem, device=without)) is not None


def unknown_parameter(variant: Variant, parameters: Named) -> str | None:
    """What of the parameters the variant does not have, in words; None if it has all of them."""
    for name, value in parameters:
        if name not in variant.space:
            return f"no parameter {name!r}, there are {sorted(variant.space)}"
        if value not in variant.space[name]:
            return f"{name} cannot be {value!r}, but {variant.space[name]}"
    return None


# Packing weights anew takes longer than many runs: at 640x480, two of ResNet-50's layers would be 1.5 times faster,
# 3 ms of 230, after half a second.
_CLEARLY = 2.0


def _best(
    fitting: list[Variant],
    problem: Problem,
    refused: list[tuple[str, str]],
    known_variant: str = "",
) -> Choice:
    """The first that applies; among those that estimate their time, the fastest stands for all. An infinite
    time means that a variant is for another kind of device: it is taken only if there is no other."""
    estimated = {v.name: v.estimate(problem) for v in fitting if v.estimate is not None}
    meant = [v for v in fitting if math.isfinite(estimated.get(v.name, 0))]
    first = (meant or fitting)[0]
    if first.estimate is None:
        return Choice(first, "heuristic", tuple(refused))
    times = [(estimated[v.name], v) for v in fitting if v.estimate is not None]
    least, best = min(times, key=lambda pair: pair[0])
    best = next(
        (v for seconds, v in times if v.name == known_variant and seconds <= _CLEARLY * least), best
    )
    slower = [
        (v.name, f"estimated at {seconds * 1e3:.3g} ms") for seconds, v in times if v is not best
    ]
    alternatives = tuple(v for seconds, v in times if v is not best and math.isfinite(seconds))
    return Choice(best, "heuristic", (*refused, *slower), alternatives=alternatives)
