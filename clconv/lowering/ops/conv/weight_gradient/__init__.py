"""The variants of ConvWeightGradient, best first: each one's file says what it is for."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.conv.weight_gradient.depthwise import DEPTHWISE
from clconv.lowering.ops.conv.weight_gradient.direct import DIRECT
from clconv.lowering.ops.conv.weight_gradient.product import PRODUCT
from clconv.lowering.ops.conv.weight_gradient.simple import SIMPLE
from clconv.lowering.ops.conv.weight_gradient.winograd import WINOGRAD4

register(DEPTHWISE, WINOGRAD4, DIRECT, PRODUCT, SIMPLE)
