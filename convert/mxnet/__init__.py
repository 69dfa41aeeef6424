"""MXNet's checkpoints: arrays (`X-0000.params`) and the graph beside them (`X-symbol.json`)."""
