"""ONNX models as methods: our exports and foreign ones. onnxruntime is imported when one is loaded."""
