"""Autoencoders: InfoVAE and its named points."""
