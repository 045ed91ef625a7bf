"""One question in, one vetted reply out."""
