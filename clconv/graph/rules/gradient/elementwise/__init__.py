"""Gradients of element-wise operators, a file for each table of rows, and of the rows that are gradients themselves."""
