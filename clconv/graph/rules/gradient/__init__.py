"""Gradient rules, a file for each family of operators; what they see is specialise/backward.py.

A rule returns a name for each input, "" where it has no gradient. By PyTorch's conventions relu'(0) = 0, and of equal
maxima the first one takes it all.
"""
