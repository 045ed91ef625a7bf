"""The vetted facts, and the path of a fact: draft, check, sign, index."""
