"""Convolutions forward and back against PyTorch: python -m benchmarks.conv_gradients."""
