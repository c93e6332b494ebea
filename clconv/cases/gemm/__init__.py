"""Cases of gemm operators."""
