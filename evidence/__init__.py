"""Ledgers that people have contributed, and the page that is made from them."""
