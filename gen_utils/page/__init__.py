"""From PyTorch to the reader's page: graphs exported to ONNX, and the widgets that run them."""
