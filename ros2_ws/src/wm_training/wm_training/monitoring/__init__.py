"""What a run says of itself: progress, tables, TensorBoard, health."""
