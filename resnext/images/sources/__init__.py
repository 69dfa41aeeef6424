"""Sources of images: folders, tars, shards, Parquet files and CIFAR, each to an image set."""
