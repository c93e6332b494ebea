"""clconv on a GPU against PyTorch: python -m benchmarks.gpu; what each part does is in a module of its own."""
