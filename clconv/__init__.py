"""clconv: convolutional networks on any OpenCL device."""

__version__ = "0.1.0"
