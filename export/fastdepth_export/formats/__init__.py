"""Kinds of files: ONNX, OpenVINO, TensorRT engines; CUDA graphs."""
