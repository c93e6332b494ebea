"""The variants of Conv, best first: each one's file says what it is for."""

from clconv.lowering.conv.depthwise import DEPTHWISE
from clconv.lowering.conv.direct import DIRECT
from clconv.lowering.conv.simple import SIMPLE
from clconv.lowering.conv.winograd import WINOGRAD2, WINOGRAD4
from clconv.lowering.kernel import register

register(DEPTHWISE, WINOGRAD4, WINOGRAD2, DIRECT, SIMPLE)
