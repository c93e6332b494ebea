"""What GPU kernels do behind a product, for kernels/gemm/finish.mako."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from clconv.lowering.arguments import Argument, Scalar
from clconv.lowering.epilogue import Epilogue, plan_epilogue
from clconv.lowering.gemm.shape import Addend, alpha_of, plan_addend
from clconv.lowering.kernel import Problem

WIDTH = 4  # elements of a vector load or store
_NO_ADDEND, _NO_EPILOGUE = Addend(), Epilogue()


@dataclasses.dataclass(frozen=True)
class Finish:
    """alpha, the added matrix and the epilogue of a node; by default nothing, as behind a part of a sum."""

    alpha: float = 1.0
    addend: Addend = _NO_ADDEND
    epilogue: Epilogue = _NO_EPILOGUE

    @classmethod
    def of(cls, problem: Problem) -> Finish:
        return cls(alpha_of(problem), plan_addend(problem, WIDTH), plan_epilogue(problem, WIDTH))

    def parameters(self) -> dict[str, Hashable]:
        return {
            "scaled": self.alpha != 1,
            "addend": self.addend.kind,
            "addend_columns": self.addend.column_step == 1,
            "epilogue": self.epilogue.terms,
            "epilogue_names": self.epilogue.names,
        }

    def arguments(self) -> list[tuple[str, Argument]]:
        alpha: list[tuple[str, Argument]] = (
            [("alpha", Scalar(self.alpha, "float"))] if self.alpha != 1 else []
        )
        return [*alpha, *self.addend.arguments, *self.epilogue.arguments]
