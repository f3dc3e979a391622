"""The org's authorization server: apps, tokens, grants and the endpoints around them."""
