"""Report: a training as one HTML page."""
