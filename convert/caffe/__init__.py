"""Caffe's checkpoints: blobs (`X.caffemodel`, protobuf) and the network's text (`X.prototxt`)."""
