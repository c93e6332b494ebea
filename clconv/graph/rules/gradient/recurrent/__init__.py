"""Gradients of recurrent layers."""
