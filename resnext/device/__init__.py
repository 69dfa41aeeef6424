"""What a GPU does beside the network: it takes in bytes, and scales and normalises them."""
