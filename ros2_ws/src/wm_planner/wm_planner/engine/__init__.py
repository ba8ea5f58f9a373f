"""A bundle's ONNX files, and what computes them."""
