"""The upload of a folder of timm to the Hugging Face Hub."""
