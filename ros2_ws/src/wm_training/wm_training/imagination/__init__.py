"""What a trained model imagines, drawn and scored against what happened."""
