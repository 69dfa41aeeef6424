"""Image sets: labelled images in folders, archives and files of the usual forms."""
