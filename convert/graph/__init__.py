"""Networks as graphs of operators, as MXNet and Caffe have them: recognised, compared, mapped."""
