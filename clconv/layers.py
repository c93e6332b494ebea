"""Networks built by hand; see clconv.frontend.layers."""

from clconv.frontend import layers as _layers
from clconv.frontend.layers import *  # noqa: F403

__all__ = _layers.__all__
