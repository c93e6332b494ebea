"""Ways into clconv and out of it: ONNX files, and networks built by hand."""
