"""One LightningModule each: networks, objective, and the paper's algorithm in `training_step`."""

from genlab.models.ae import AE
from genlab.models.gan import GAN
from genlab.models.vae import VAE, reparametrise

__all__ = ["AE", "GAN", "VAE", "reparametrise"]
