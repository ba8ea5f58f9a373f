"""The ONNX graphs of a bundle, and whether they say what the model says."""
