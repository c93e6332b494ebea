"""What GPU kernels do behind a product, for kernels/gemm/finish.mako."""

from __future__ import annotations

from collections.abc import Hashable

from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.gemm.shape import Addend, alpha_of, plan_addend
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.records import record

WIDTH = 4  # elements of a vector load or store
_NO_ADDEND, _NO_EPILOGUE = Addend(), Epilogue()


@record(frozen=True)
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
