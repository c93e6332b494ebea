"""The least time that a processor needs for a network, and what clconv and onnxruntime reach of it."""
