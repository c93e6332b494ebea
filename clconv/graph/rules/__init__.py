"""Rules that the hooks of several operators share: transposed inputs, independent images, known shapes, gradients."""
