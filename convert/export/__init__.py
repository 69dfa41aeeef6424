"""Export: a checkpoint in the formats of other libraries."""
