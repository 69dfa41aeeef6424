"""Training. Nothing lives here yet: the package holds the place of `resnext-train`."""
