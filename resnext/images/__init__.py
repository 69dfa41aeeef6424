"""Image sets: where labelled pictures lie, and which class each of them is of."""
