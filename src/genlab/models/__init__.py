"""One LightningModule each: networks, objective, and the paper's algorithm in `training_step`."""

from genlab.models.aae import AAE
from genlab.models.ae import AE
from genlab.models.aegan import AEGAN
from genlab.models.autoencoding import reparametrise
from genlab.models.bigan import BiGAN
from genlab.models.drifting import Drifting
from genlab.models.gan import GAN
from genlab.models.iwae import IWAE
from genlab.models.klgan import KLGAN
from genlab.models.vae import VAE
from genlab.models.vaegan import VAEGAN
from genlab.models.vqgan import VQGAN
from genlab.models.vqvae import VQVAE
from genlab.models.wae import WAE

__all__ = [
    "AAE",
    "AE",
    "AEGAN",
    "GAN",
    "IWAE",
    "KLGAN",
    "VAE",
    "VAEGAN",
    "VQGAN",
    "VQVAE",
    "WAE",
    "BiGAN",
    "Drifting",
    "reparametrise",
]
