"""Pictures to names and features: what does a checkpoint see?"""
