"""The ONNX graphs of a bundle, and their parity with the model."""
