"""Files of other programs: the authors' weights, ONNX, torch.export."""
