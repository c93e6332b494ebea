"""The data that lowering makes: kernels, arguments, templates, C text."""
