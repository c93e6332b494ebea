"""Which operator a node names: ONNX's, onnxruntime's, or none that clconv has."""

from __future__ import annotations

import onnx

from clconv.frontend.onnx.arity import has_schema
from clconv.frontend.onnx.calls import MAIN_DOMAIN
from clconv.frontend.onnx.control import convert_if, convert_loop, convert_scan
from clconv.frontend.onnx.converters import CONVERTERS, training
from clconv.frontend.onnx.converters.microsoft import DOMAIN, IN_MAIN_DOMAIN, MICROSOFT
from clconv.graph.ops import OPS

CONTROL = {"If": convert_if, "Loop": convert_loop, "Scan": convert_scan}
_BUILT_IN = {"Constant", *CONTROL}


def supported() -> set[str]:
    """ONNX's operators that are imported as they are, not by what defines them."""
    return OPS.keys() | CONVERTERS.keys() | _BUILT_IN


def domain_of(node: onnx.NodeProto) -> str:
    """The node's domain, ONNX's own as ""."""
    return "" if node.domain in MAIN_DOMAIN else node.domain


def is_known(node: onnx.NodeProto) -> bool:
    domain, op = domain_of(node), node.op_type
    if domain == DOMAIN:
        return op in MICROSOFT
    if domain == training.DOMAIN:
        return op in training.CONVERTERS
    if domain:
        return False
    # Some of clconv's own operators are none of ONNX's.
    own = op in OPS and onnx.defs.has(op)
    return own or op in CONVERTERS or op in _BUILT_IN or op in IN_MAIN_DOMAIN


def is_extension(node: onnx.NodeProto, opset: int) -> bool:
    """Whether the node is onnxruntime's operator of that name, not ONNX's."""
    if domain_of(node):
        return domain_of(node) == DOMAIN
    if node.op_type not in IN_MAIN_DOMAIN:
        return False
    return not has_schema(node.op_type, opset)
