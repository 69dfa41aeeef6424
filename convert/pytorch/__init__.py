"""PyTorch's files: pickled state dicts and safetensors of other projects, by their layouts."""
