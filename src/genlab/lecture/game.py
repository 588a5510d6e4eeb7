"""The two-player game: what G minimises at D's optimum, which gradients it gets, and what each step of D does to it."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from genlab.bounds import PositiveInt
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.figures import logarithmic
from genlab.lecture.runs import Runs
from genlab.losses import Minimax, NonSaturating, Objective
from genlab.models import GAN
from genlab.networks import MLP
from genlab.report.style import COLOURS, describe, panels

SHIFTS = (0.5, 1.0, 2.0, 3.0)  # of G's Gaussian against the data's, in standard deviations
FAR_APART = 8.0
GRID = torch.linspace(-12, 20, 4_001, dtype=torch.float64)
NEAR = 0.03  # nats, of 1.39
SHAPE = (1, 1, 1)  # an image of one pixel


class Game(Claim):
    """Two Gaussians on a line: N(0, 1) is the data, N(shift, 1) what G makes.

    Args:
        n_steps: of D's training.
    """

    title = "The game at D's optimum"
    sentence = (
        "max over D of E[log D(x)] + E[log(1 − D(G(z)))] is 2 JSD(p_data ‖ p_G) − log 4, reached by D = p_data / "
        "(p_data + p_G). There the gradient of the saturating loss E[log(1 − D(G(z)))] vanishes when the two are far "
        "apart, where that of −E[log D(G(z))] does not. And each step of D changes the loss that G minimises, though "
        "G stays as it is."
    )
    experiment = (
        "The data are N(0, 1), and G shifts z ~ N(0, 1) by θ. D is a network that is trained by the project's minimax "
        "loss; JSD is integrated on a grid. The gradients in θ are those of the project's two losses at D's optimum. "
        "Last, the project's GAN takes single steps of D alone."
    )

    def __init__(self, n_steps: PositiveInt = 500) -> None:
        self.n_steps = n_steps

    def measure(self, runs: Runs) -> Evidence:
        values = pd.DataFrame([self._value(shift) for shift in SHIFTS])
        slopes = {loss: slope(loss, FAR_APART) for loss in (Minimax, NonSaturating)}
        g_losses, leak, moved = steps_of_d()
        caption = (
            "Left: trained D against the closed form. Middle: size of both gradients at D's optimum. Right: the loss "
            "of one and the same G."
        )
        table = values.assign(**{"gradient, saturating": [slope(Minimax, s) for s in SHIFTS]})
        table["gradient, non-saturating"] = [slope(NonSaturating, s) for s in SHIFTS]
        statements = [*judge_losses(values, slopes), *judge_steps(g_losses, leak, moved)]
        return Evidence(draw(values, g_losses), caption, table, statements)

    def _value(self, shift: float) -> dict[str, float]:
        """The value of the game for a D that is trained against a shift, beside the known ones."""
        critic = train_critic(shift, self.n_steps)
        value = value_of(lambda x: critic(x.float()).double(), shift)
        known = 2 * jensen_shannon(shift) - np.log(4)
        return {"shift θ": shift, "JSD": jensen_shannon(shift), "2 JSD − log 4": known, "trained D": value}


def judge_losses(values: pd.DataFrame, slopes: Mapping[type[Minimax], float]) -> list[Statement]:
    """The trained D against the closed form, and both gradients where the Gaussians are far apart."""
    saturating, other = slopes[Minimax], slopes[NonSaturating]
    return [
        Statement(
            f"the value of the trained D is 2 JSD − log 4 within {NEAR} nats, for each shift",
            bool(((values["trained D"] - values["2 JSD − log 4"]).abs() < NEAR).all()),
        ),
        Statement(
            f"at θ = {FAR_APART:g} the saturating gradient is below 0.001, here {saturating:.1g}, and the other above "
            f"1, here {other:.2f}",
            abs(saturating) < 1e-3 and abs(other) > 1,
        ),
    ]


def judge_steps(g_losses: Sequence[float], leak: float, moved: float) -> list[Statement]:
    """What steps of D alone have done, as `steps_of_d` gives it."""
    changed = bool((np.diff(g_losses) != 0).all())
    return [
        Statement("D's loss has no gradient in G's weights", leak == 0),
        Statement("each of 20 steps of D changes G's loss, while G's weights stay as they are", changed and moved == 0),
    ]


def jensen_shannon(shift: float) -> float:
    """JSD(N(0, 1) || N(shift, 1)) in nats, by quadrature."""
    p, q = (Normal(mean, 1.0).log_prob(GRID) for mean in (0.0, shift))
    middle = torch.logaddexp(p, q) - np.log(2)
    return 0.5 * (_integral(p.exp() * (p - middle)) + _integral(q.exp() * (q - middle)))


def _integral(values: Tensor) -> float:
    return torch.trapezoid(values, GRID).item()


def value_of(critic: object, shift: float) -> float:
    """E[log D(x)] + E[log(1 - D(G(z)))] by quadrature, for D = sigmoid(critic)."""
    logits = critic(GRID[:, None]).detach()[:, 0]  # type: ignore[operator]
    p, q = (Normal(mean, 1.0).log_prob(GRID).exp() for mean in (0.0, shift))
    return _integral(p * logsigmoid(logits)) + _integral(q * logsigmoid(-logits))


def train_critic(shift: float, n_steps: int) -> nn.Module:
    """A D (B, 1) -> (B, 1) that is trained by the minimax loss on draws of both Gaussians."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = MLP((1,), (1,), width=32, depth=2)
    objective, generator = Objective(Minimax()), Generator().manual_seed(0)
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(n_steps):
        real, fake = torch.randn(2, 512, 1, generator=generator)
        loss = objective.discriminator(critic, real, fake + shift)["d_loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return critic


def slope(loss: type[Minimax], shift: float) -> float:
    """d/d theta of G's loss at theta = shift, for the D that is best against that very shift: (shift / 2 - x) shift."""
    theta = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    z = Normal(0.0, 1.0).icdf((torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000)
    logits = (shift / 2 - (z + theta)) * shift
    (gradient,) = torch.autograd.grad(loss().generator(logits[:, None]), theta)
    return gradient.item()


def steps_of_d(n: int = 20) -> tuple[list[float], float, float]:
    """Take steps of D alone in our GAN.

    Returns:
        G's loss before and after each step, the largest gradient of D's loss in a weight of G, and the largest change
        of one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = (partial(MLP, depth=0), partial(MLP, width=32))
        gan = GAN(SHAPE, 1, *networks, objective=Objective(Minimax()), optimizer=partial(torch.optim.Adam))
    generator, losses, leak = Generator().manual_seed(0), [], 0.0
    z, x = gan.prior(512, generator), torch.randn(512, *SHAPE, generator=generator)
    optimizer = torch.optim.Adam(gan.parameters(), lr=3e-3)  # of all weights, so that a gradient of G's would move it
    before = [p.detach().clone() for p in gan.generator.parameters()]
    for _ in range(n + 1):
        detached, fakes = gan.make(gan.decode, [z])
        losses.append(gan.objective.generator(gan.discriminator, x, next(iter(fakes)).detach()).item())
        optimizer.zero_grad()
        gan.objective.discriminator(gan.discriminator, x, detached[0])["d_loss"].backward()
        leak = max([leak, *(p.grad.abs().max().item() for p in gan.generator.parameters() if p.grad is not None)])
        optimizer.step()
    after = gan.generator.parameters()
    moved = max((a - b).abs().max().item() for a, b in zip(after, before, strict=True))
    return losses, leak, moved


def draw(values: pd.DataFrame, g_losses: list[float]) -> Figure:
    figure, axes = panels(3, size=(3.3, 3.0))
    shifts = np.linspace(0, 4, 41)
    axes[0].plot(shifts, [2 * jensen_shannon(s) - np.log(4) for s in shifts], color=COLOURS[1], label="2 JSD − log 4")
    axes[0].plot(values["shift θ"], values["trained D"], "o", color=COLOURS[0], label="trained D")
    describe(axes[0], "Value of the game", "shift θ", "nats")
    shifts = np.linspace(0.1, 8, 40)
    for loss, name, colour in ((Minimax, "log(1 − D(G(z)))", COLOURS[1]), (NonSaturating, "−log D(G(z))", COLOURS[0])):
        axes[1].plot(shifts, [abs(slope(loss, s)) for s in shifts], color=colour, label=name)
    describe(axes[1], "Gradient of G's loss", "shift θ", "|d/dθ|")
    axes[2].plot(g_losses, "o-", color=COLOURS[0])
    describe(axes[2], "Loss of a G that stays", "steps of D", "E[log(1 − D(G(z)))]")
    logarithmic(axes[1].yaxis)
    for axis in axes[:2]:
        axis.legend()
    return figure
