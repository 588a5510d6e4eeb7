"""Autoencoders, VAEs and GANs: trained by Lightning, configured by Hydra, compared on one protocol."""
